// Calls to the dashboard's own JSON views, the only host that the page speaks to.

export class Refusal extends Error {
  constructor(public status: number, public code: string, message: string) {
    super(message);
  }
}

export type SessionState = "anonymous" | "signed_in" | "token_required";

let csrf = "";

export async function openSession(): Promise<SessionState> {
  return takeOver(await call("GET", "/api/session"));
}

export async function signIn(token: string): Promise<SessionState> {
  return takeOver(await call("POST", "/api/session", { token }));
}

export async function signOut(): Promise<void> {
  await call("DELETE", "/api/session");
}

export function read<T>(path: string, query: Record<string, string> = {}): Promise<T> {
  const search = new URLSearchParams(query).toString();
  return call("GET", search ? `${path}?${search}` : path) as Promise<T>;
}

// Sends the same request id again when the reply was lost, so that one press acts once.
export async function act<T>(path: string, body: Record<string, unknown> = {}): Promise<T> {
  const whole = { ...body, request_id: requestId() };
  try {
    return await call("POST", path, whole) as T;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return await call("POST", path, whole) as T;
  }
}

function takeOver(reply: unknown): SessionState {
  const session = reply as { state: SessionState; csrf: string };
  csrf = session.csrf;
  return session.state;
}

function requestId(): string {
  // crypto.randomUUID needs a secure context, which plain HTTP to another host is not.
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function call(method: string, path: string, body?: Record<string, unknown>): Promise<unknown> {
  const reply = await fetch(path, {
    method,
    headers: { "content-type": "application/json", "x-nearhop-csrf": csrf },
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: "same-origin",
    redirect: "error",
  });
  const content = await reply.json().catch(() => null);
  if (!reply.ok) {
    const told = content?.error ?? { code: "UNKNOWN", message: `the dashboard answered ${reply.status}`, violations: [] };
    const wrong = (told.violations as { field: string; reason: string }[]).map(({ field, reason }) => `${field}: ${reason}`).join("; ");
    throw new Refusal(reply.status, told.code, wrong || told.message || told.code);
  }
  return content;
}

export function explain(error: unknown): string {
  if (error instanceof Refusal) {
    if (error.code === "UNAVAILABLE") return `The control plane is unreachable: ${error.message}`;
    if (error.code === "PERMISSION_DENIED") return `Refused: ${error.message}`;
    return error.message;
  }
  return error instanceof TypeError ? "The dashboard does not answer" : String(error);
}
