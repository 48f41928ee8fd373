// What config.ts holds. A key is bound to one algorithm here: a token's header can choose among the keys, but never how a key is used.

export type KeyConfig =
  | { alg: "HS256"; kid: string; secret: string } // base64url, at least 32 bytes
  | { alg: "RS256"; kid: string; jwk: { kty: "RSA"; n: string; e: string } }; // public, at least 2,048 bits

export interface Config {
  origin: string | null;
  realm: string;
  issuer: string;
  audience: string;
  leewaySeconds: number;
  keys: KeyConfig[];
}
