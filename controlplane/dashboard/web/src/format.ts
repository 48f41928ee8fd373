// Numbers, times and sizes as people read them.

const regions = new Intl.DisplayNames("en", { type: "region", fallback: "code" });

export function rate(perSecond: number): string {
  if (perSecond === 0) return "0";
  if (perSecond < 10) return perSecond.toFixed(1);
  return Math.round(perSecond).toLocaleString("en");
}

export function count(value: number, one: string, many = `${one}s`): string {
  return `${value.toLocaleString("en")} ${value === 1 ? one : many}`;
}

export function bytes(value: number): string {
  if (value < 1024) return `${value} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let unit = -1;
  let left = value;
  while (left >= 1024 && unit < units.length - 1) {
    left /= 1024;
    unit += 1;
  }
  return `${left < 10 ? left.toFixed(1) : Math.round(left)} ${units[unit]}`;
}

export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h`;
  return `${Math.floor(whole / 86400)} d`;
}

export function ago(time: number | null, now: number): string {
  return time === null ? "never" : now - time < 1.5 ? "now" : `${duration(now - time)} ago`;
}

export function clock(time: number): string {
  return new Date(time * 1000).toLocaleTimeString("en-GB");
}

export function stamp(time: number | null): string {
  return time === null ? "—" : new Date(time * 1000).toISOString().replace("T", " ").replace(/\.\d+Z$/, " UTC");
}

export function country(alpha2: string): string {
  if (!/^[A-Z]{2}$/.test(alpha2)) return alpha2 || "unknown place";
  return regions.of(alpha2) ?? alpha2;
}

export function kilometres(distance: number | null): string {
  return distance === null ? "—" : `${Math.round(distance).toLocaleString("en")} km`;
}

export function degrees(latitude: number, longitude: number): string {
  const part = (value: number, positive: string, negative: string) => `${Math.abs(value).toFixed(1)}° ${value < 0 ? negative : positive}`;
  return `${part(latitude, "N", "S")}, ${part(longitude, "E", "W")}`;
}
