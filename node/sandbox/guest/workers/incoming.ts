// What Cloudflare adds to a request that arrives: the cf-* headers and request.cf.

import type { Place } from "../geo.ts";
import { type Extra, type Extras, known } from "../headers.ts";
import { dressRequests, hasArrived, placeOf } from "../request.ts";
import type { Settings } from "../settings.ts";

type Cf = Record<string, unknown>;

const described = new WeakMap<Request, Cf>();

const text = (value: number | string | null | undefined) => value === null || value === undefined ? undefined : String(value);
const country = (headers: Headers) => headers.get("x-nearhop-country") ?? "XX";

function describe(headers: Headers, place: Place | null, settings: Settings): Cf {
  const code = country(headers);
  const secure = headers.get("x-forwarded-proto") === "https";
  const cf: Cf = {
    asn: place?.asn ?? undefined,
    asOrganization: text(place?.as_organization),
    city: text(place?.city),
    continent: text(place?.continent),
    country: code === "XX" ? text(place?.country) : code,
    isEUCountry: place?.is_eu ? "1" : undefined,
    latitude: text(place?.latitude),
    longitude: text(place?.longitude),
    metroCode: text(place?.metro_code),
    postalCode: text(place?.postal_code),
    region: text(place?.region),
    regionCode: text(place?.region_code),
    timezone: text(place?.timezone),
    colo: settings.region,
    clientAcceptEncoding: headers.get("accept-encoding") ?? "",
    edgeRequestKeepAliveStatus: 1,
    httpProtocol: "HTTP/1.1",
    requestPriority: "",
    tlsCipher: "",
    tlsVersion: secure ? "TLSv1.3" : "",
  };
  for (const name of Object.keys(cf)) if (cf[name] === undefined) delete cf[name];
  return cf;
}

// Cloudflare's "visitor location headers"; text that is not ASCII is percent-encoded, since a header holds none.
const VISITOR: [string, keyof Place][] = [
  ["cf-ipcity", "city"],
  ["cf-ipcontinent", "continent"],
  ["cf-iplatitude", "latitude"],
  ["cf-iplongitude", "longitude"],
  ["cf-region", "region"],
  ["cf-region-code", "region_code"],
  ["cf-metro-code", "metro_code"],
  ["cf-postal-code", "postal_code"],
  ["cf-timezone", "timezone"],
];

function extras(region: string): Extras {
  const suffix = `-${region.toUpperCase()}`;
  const visitor = VISITOR.map(([name, key]): [string, Extra] => [name, (_, place) => known(place?.[key])]);
  return new Map<string, Extra>([
    ["cf-connecting-ip", (get) => get("x-real-ip")],
    ["cf-ipcountry", (get) => get("x-nearhop-country") ?? "XX"],
    ["cf-ray", (get) => (get("x-request-id") ?? "").replaceAll("-", "").slice(-16) + suffix],
    ["cf-visitor", (get) => get("x-forwarded-proto") === "https" ? '{"scheme":"https"}' : '{"scheme":"http"}'],
    ...visitor,
  ]);
}

/** Cloudflare's own, from before getSetCookie(). */
function getAll(this: Headers, name: string): string[] {
  if (String(name).toLowerCase() !== "set-cookie") throw new TypeError('getAll() can only be used with the header name "Set-Cookie".');
  return this.getSetCookie();
}

export function installIncoming(settings: Settings): void {
  function cfOf(request: Request): Cf | undefined {
    let cf = described.get(request);
    if (cf === undefined && hasArrived(request)) described.set(request, cf = describe(request.headers, placeOf(request), settings));
    return cf;
  }
  dressRequests(extras(settings.region), (from, to, init) => {
    const cf = (init as { cf?: Cf } | undefined)?.cf ?? (from instanceof Request ? cfOf(from) : undefined);
    if (cf !== undefined) described.set(to, cf);
  });
  Object.defineProperty(Headers.prototype, "getAll", { configurable: true, writable: true, value: getAll });
  Object.defineProperty(Request.prototype, "cf", {
    configurable: true,
    enumerable: true,
    get(this: Request): Cf | undefined {
      return cfOf(this);
    },
  });
}
