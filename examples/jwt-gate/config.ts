// CONFIGURATION: the only file to edit.
//
// DEMO KEYS: this secret is published with the source, so anyone can sign a token with it. Replace both keys before you
// protect anything. The RS256 entry is a public key; its private half was thrown away when it was generated.

import type { Config } from "./config_types.ts";

export const config: Config = {
  // Where verified requests go, scheme and host only. null: the gate greets the subject itself, for a first try.
  origin: null,
  realm: "nearhop-demo",
  issuer: "https://issuer.example.org/",
  audience: "https://api.example.org/",
  leewaySeconds: 30,
  keys: [
    { alg: "HS256", kid: "demo-hs", secret: "bmVhcmhvcC1kZW1vLXNlY3JldC1wdWJsaXNoZWQtd2l0aC10aGUtc291cmNlIQ" },
    {
      alg: "RS256",
      kid: "demo-rs",
      jwk: {
        kty: "RSA",
        e: "AQAB",
        n: "ozi9FpYAAWUe0_3wQ_GYNk2-f3-S0tNN1JZumf_bGJ_fec2OHPcW5P4w4AZFF3wqbgB_XtgSdwh2LYvgywWVBeQ18jGlHRcjJ4PXi_ekzroeHZ3cSaJOmx-kjBKGZc3v_drqUwWHEbvl0OD3uWLtZqAs5CjjQkGsZZSmcT6Foi5KIn_zAjMUKdr5TfcvhgoNAzvEWV4XY-_0xpOfzVVtFyoWNbGWpdVbjv8kkZqjgWK2-wmv3ITlyDQWRKw1Czhksamj97TZbDl4Oskljw5PQkV61tWetFr8X4rvO1u384Xm3KC0Am2WzwEWYD9lF1xDl2SCXLxyLiWNfYxuwZO2MQ",
      },
    },
  ],
};
