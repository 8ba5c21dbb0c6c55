/**
 * The relay over HTTP, as far as it needs no room: answers, refusals, the health
 * address, the secret and the bound on a body. Described in PROTOCOL.md of chatops.
 */
import { type Limits, limitsFrom } from "./limits";
import {
  ALLOWED_METHODS,
  CORS_ORIGIN,
  CORS_PREFLIGHT,
  decodeCursors,
  PROTOCOL_VERSION,
  Refusal,
  roomOfPath,
} from "./protocol";

/** The part of a Request that is used here; both platforms bring their own type. */
export interface RelayRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: { get(name: string): string | null };
  readonly body: { getReader(): BodyReader } | null;
  arrayBuffer(): Promise<ArrayBuffer>;
}

interface BodyReader {
  read(): Promise<{ done: boolean; value?: unknown }>;
  cancel(): Promise<void>;
}

/** How much of a body that is refused is read before the answer. */
const MAX_UNWANTED_BYTES = 32 << 20;

export type ServerName = "partykit" | "partyserver";

/** What the environment of a relay says. */
export interface Settings {
  readonly server: ServerName;
  readonly build: string;
  readonly secret: string;
  readonly limits: Limits;
}

export function settingsFrom(
  server: ServerName,
  environment: object,
): Settings {
  const variables = new Map<string, unknown>(Object.entries(environment));
  const text = (name: string): string => {
    const value = variables.get(name);
    return typeof value === "string" ? value.trim() : "";
  };
  return {
    server,
    build: text("RELAY_BUILD") || "dev",
    secret: text("RELAY_SECRET"),
    limits: limitsFrom(variables),
  };
}

export function respond(
  status: number,
  body: string | null,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const all = new Headers({ ...CORS_ORIGIN, ...headers });
  if (body !== null) all.set("Content-Type", "application/json");
  return new Response(body, { status, headers: all });
}

/** The answer to a request that could not be taken. Nothing of an unforeseen error reaches the client. */
export function respondError(error: unknown): Response {
  if (!(error instanceof Refusal)) {
    console.error("relay:", error);
    return respondError(new Refusal("internal", "the relay failed"));
  }
  const headers: Record<string, string> = {};
  if (error.code === "unauthorized") headers["WWW-Authenticate"] = "Bearer";
  if (error.code === "method_not_allowed") headers.Allow = ALLOWED_METHODS;
  if (error.retryAfterSeconds !== undefined) {
    headers["Retry-After"] = String(error.retryAfterSeconds);
  }
  return respond(error.status, error.body(), headers);
}

/** The same answer without its body, if that is what the request's method asks for. */
export function forMethod(request: RelayRequest, response: Response): Response {
  return request.method === "HEAD" ? new Response(null, response) : response;
}

/**
 * Whatever needs no room: the health address, OPTIONS, and the refusal of all that
 * is no request for a room. Undefined: the request is one for a room.
 */
export async function answerAtTheDoor(
  request: RelayRequest,
  server: ServerName,
  environment: object,
): Promise<Response | undefined> {
  const answer = doorAnswer(request, server, environment);
  if (answer !== undefined && request.body !== null) {
    await readBody(request, 0).catch(() => undefined);
  }
  return answer;
}

function doorAnswer(
  request: RelayRequest,
  server: ServerName,
  environment: object,
): Response | undefined {
  try {
    const { pathname, searchParams } = new URL(request.url);
    const isHealth = pathname === "/health";
    if (!isHealth) roomOfPath(pathname);
    if (request.method === "OPTIONS") return respond(204, null, CORS_PREFLIGHT);
    const isUpgrade =
      request.headers.get("Upgrade")?.toLowerCase() === "websocket";
    if (!methodsOf(isHealth, isUpgrade).includes(request.method)) {
      throw new Refusal(
        "method_not_allowed",
        `${request.method} is not taken here`,
      );
    }
    if (isHealth) {
      const settings = settingsFrom(server, environment);
      return forMethod(request, respond(200, encodeHealth(settings)));
    }
    if (isUpgrade) decodeCursors(searchParams);
    return undefined;
  } catch (error) {
    return forMethod(request, respondError(error));
  }
}

function methodsOf(isHealth: boolean, isUpgrade: boolean): string[] {
  if (isUpgrade) return ["GET"];
  return isHealth ? ["GET", "HEAD"] : ["GET", "HEAD", "POST"];
}

function encodeHealth({ server, build, secret }: Settings): string {
  return JSON.stringify({
    ok: true,
    protocol: PROTOCOL_VERSION,
    server,
    build,
    secret_configured: secret !== "",
  });
}

/** The relay's secret, compared by digest: that takes the same time wherever the texts differ. */
export class Secret {
  private readonly secret: string;
  private expected: Promise<Uint8Array> | undefined;

  constructor(secret: string) {
    this.secret = secret;
  }

  /** Throws Refusal: no_secret, unauthorized. */
  async check(request: RelayRequest): Promise<void> {
    if (this.secret === "") {
      throw new Refusal(
        "no_secret",
        "RELAY_SECRET is not set, so nobody can publish",
      );
    }
    const authorization = request.headers.get("Authorization") ?? "";
    const [, offered] = /^Bearer +(.*)$/i.exec(authorization) ?? [];
    if (offered === undefined || !(await this.isSame(offered.trim()))) {
      throw new Refusal("unauthorized", "the secret is missing or wrong");
    }
  }

  private async isSame(offered: string): Promise<boolean> {
    this.expected ??= digest(this.secret);
    const expected = await this.expected;
    let difference = 0;
    for (const [at, byte] of (await digest(offered)).entries()) {
      difference |= byte ^ (expected[at] ?? 0);
    }
    return difference === 0;
  }
}

async function digest(text: string): Promise<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

/**
 * The body, or undefined if it is over the limit. Read to its end all the same, as
 * far as that goes: an answer that is sent while the client still sends may be
 * lost together with the connection.
 */
export async function readBody(
  request: RelayRequest,
  limit: number,
): Promise<Uint8Array | undefined> {
  const announced = Number(request.headers.get("Content-Length") ?? NaN);
  if (announced <= limit) return new Uint8Array(await request.arrayBuffer());
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const reader = request.body?.getReader();
  while (reader !== undefined) {
    const { value } = await reader.read();
    if (!(value instanceof Uint8Array)) break;
    bytes += value.byteLength;
    if (bytes <= limit) chunks.push(value);
    if (bytes > limit + MAX_UNWANTED_BYTES) {
      await reader.cancel().catch(() => undefined);
      break;
    }
  }
  return bytes > limit ? undefined : joined(chunks, bytes);
}

function joined(chunks: readonly Uint8Array[], bytes: number): Uint8Array {
  const body = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.byteLength;
  }
  return body;
}
