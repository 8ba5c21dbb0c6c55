"""Env schemas as T3's templates and the apps made from them have them, before and after the kit's variables."""

from __future__ import annotations

T3 = """\
import { createEnv } from "@t3-oss/env-nextjs";
import { z } from "zod";

export const env = createEnv({
  /** Specify your server-side environment variables schema here. */
  server: {
    NODE_ENV: z.enum(["development", "test", "production"]),
  },

  client: {
    // NEXT_PUBLIC_CLIENTVAR: z.string(),
  },

  runtimeEnv: {
    NODE_ENV: process.env.NODE_ENV,
    // NEXT_PUBLIC_CLIENTVAR: process.env.NEXT_PUBLIC_CLIENTVAR,
  },
  skipValidation: !!process.env.SKIP_ENV_VALIDATION,
  emptyStringAsUndefined: true,
});
"""
T3_AFTER = """\
import { createEnv } from "@t3-oss/env-nextjs";
import { z } from "zod";

export const env = createEnv({
  /** Specify your server-side environment variables schema here. */
  server: {
    NODE_ENV: z.enum(["development", "test", "production"]),
    RELAY_SECRET: z.string().optional(),
    RELAY_URL: z.string().optional(),
  },

  client: {
    // NEXT_PUBLIC_CLIENTVAR: z.string(),
    NEXT_PUBLIC_RELAY_HOST: z.string().optional(),
    NEXT_PUBLIC_CHAT_MODE: z.enum(["send-message", "streaming"]).optional(),
  },

  runtimeEnv: {
    NODE_ENV: process.env.NODE_ENV,
    // NEXT_PUBLIC_CLIENTVAR: process.env.NEXT_PUBLIC_CLIENTVAR,
    RELAY_SECRET: process.env.RELAY_SECRET,
    RELAY_URL: process.env.RELAY_URL,
    NEXT_PUBLIC_RELAY_HOST: process.env.NEXT_PUBLIC_RELAY_HOST,
    NEXT_PUBLIC_CHAT_MODE: process.env.NEXT_PUBLIC_CHAT_MODE,
  },
  skipValidation: !!process.env.SKIP_ENV_VALIDATION,
  emptyStringAsUndefined: true,
});
"""

EXPERIMENTAL = """\
import { createEnv } from "@t3-oss/env-nextjs";
import { z } from "zod/v4";

export const env = createEnv({
  extends: [vercel()],
  shared: { NODE_ENV: z.string() },
  server: { DATABASE_URL: z.url(), RELAY_URL: z.url() },
  client: {},
  experimental__runtimeEnv: { NODE_ENV: process.env.NODE_ENV },
});
"""
EXPERIMENTAL_AFTER = """\
import { createEnv } from "@t3-oss/env-nextjs";
import { z } from "zod/v4";

export const env = createEnv({
  extends: [vercel()],
  shared: { NODE_ENV: z.string() },
  server: {
    DATABASE_URL: z.url(),
    RELAY_URL: z.url(),
    RELAY_SECRET: z.string().optional(),
  },
  client: {
    NEXT_PUBLIC_RELAY_HOST: z.string().optional(),
    NEXT_PUBLIC_CHAT_MODE: z.enum(["send-message", "streaming"]).optional(),
  },
  experimental__runtimeEnv: {
    NODE_ENV: process.env.NODE_ENV,
    NEXT_PUBLIC_RELAY_HOST: process.env.NEXT_PUBLIC_RELAY_HOST,
    NEXT_PUBLIC_CHAT_MODE: process.env.NEXT_PUBLIC_CHAT_MODE,
  },
});
"""

VALIBOT = """\
import { createEnv as check } from "@t3-oss/env-core";
import * as v from "valibot";

const server = {
  KEY: v.string() // the model's
} as const;

export const env = check({
  clientPrefix: "NEXT_PUBLIC_",
  server,
  client: { ...others, [NAME]: v.string() },
  runtimeEnvStrict: {
    ...process.env,
    KEY: process.env["KEY"]
  } satisfies Values
});
"""
VALIBOT_AFTER = """\
import { createEnv as check } from "@t3-oss/env-core";
import * as v from "valibot";

const server = {
  KEY: v.string(), // the model's
  RELAY_SECRET: v.optional(v.string()),
  RELAY_URL: v.optional(v.string())
} as const;

export const env = check({
  clientPrefix: "NEXT_PUBLIC_",
  server,
  client: {
    ...others,
    [NAME]: v.string(),
    NEXT_PUBLIC_RELAY_HOST: v.optional(v.string()),
    NEXT_PUBLIC_CHAT_MODE: v.optional(v.picklist(["send-message", "streaming"]))
  },
  runtimeEnvStrict: {
    ...process.env,
    KEY: process.env["KEY"],
    RELAY_SECRET: process.env.RELAY_SECRET,
    RELAY_URL: process.env.RELAY_URL,
    NEXT_PUBLIC_RELAY_HOST: process.env.NEXT_PUBLIC_RELAY_HOST,
    NEXT_PUBLIC_CHAT_MODE: process.env.NEXT_PUBLIC_CHAT_MODE
  } satisfies Values
});
"""

MINI = """\
import { createEnv } from "@t3-oss/env-nextjs";
import * as zod from "zod/mini";

export const env = createEnv({
  server: {
    A: zod.string(),
  },
  experimental__runtimeEnv: process.env,
});
"""
MINI_AFTER = MINI.replace(
    "string(),\n",
    "string(),\n    RELAY_SECRET: zod.optional(zod.string()),\n    RELAY_URL: zod.optional(zod.string()),\n",
    1,
)

# create-t3-app 7.0 to 7.13, src/env.mjs.
TWO_OBJECTS = """\
import { z } from "zod";

const server = z.object({
  NODE_ENV: z.enum(["development", "test", "production"]),
});

const client = z.object(
  /** @satisfies {Record<`NEXT_PUBLIC_${string}`, import('zod').ZodType>} */ ({
    // NEXT_PUBLIC_CLIENTVAR: z.string().min(1),
  }),
);

/** @type {Record<keyof z.infer<typeof server> | keyof z.infer<typeof client>, string | undefined>} */
const processEnv = {
  NODE_ENV: process.env.NODE_ENV,
  // NEXT_PUBLIC_CLIENTVAR: process.env.NEXT_PUBLIC_CLIENTVAR,
};

const merged = server.merge(client);
"""
TWO_OBJECTS_AFTER = """\
import { z } from "zod";

const server = z.object({
  NODE_ENV: z.enum(["development", "test", "production"]),
  RELAY_SECRET: z.string().optional(),
  RELAY_URL: z.string().optional(),
});

const client = z.object(
  /** @satisfies {Record<`NEXT_PUBLIC_${string}`, import('zod').ZodType>} */ ({
    // NEXT_PUBLIC_CLIENTVAR: z.string().min(1),
    NEXT_PUBLIC_RELAY_HOST: z.string().optional(),
    NEXT_PUBLIC_CHAT_MODE: z.enum(["send-message", "streaming"]).optional(),
  }),
);

/** @type {Record<keyof z.infer<typeof server> | keyof z.infer<typeof client>, string | undefined>} */
const processEnv = {
  NODE_ENV: process.env.NODE_ENV,
  // NEXT_PUBLIC_CLIENTVAR: process.env.NEXT_PUBLIC_CLIENTVAR,
  RELAY_SECRET: process.env.RELAY_SECRET,
  RELAY_URL: process.env.RELAY_URL,
  NEXT_PUBLIC_RELAY_HOST: process.env.NEXT_PUBLIC_RELAY_HOST,
  NEXT_PUBLIC_CHAT_MODE: process.env.NEXT_PUBLIC_CHAT_MODE,
};

const merged = server.merge(client);
"""

# create-t3-app 6, src/env/schema.mjs: its values must have the types that the schema gives.
TYPED_VALUES = """\
import { z } from "zod";

export const serverSchema = z.object({
  NODE_ENV: z.enum(["development", "test", "production"]),
});

/** @type {{ [k in keyof z.infer<typeof serverSchema>]: z.infer<typeof serverSchema>[k] | undefined }} */
export const serverEnv = {
  NODE_ENV: process.env.NODE_ENV,
};

export const clientSchema = z.object({
  // NEXT_PUBLIC_CLIENTVAR: z.string(),
});

/** @type {{ [k in keyof z.infer<typeof clientSchema>]: z.infer<typeof clientSchema>[k] | undefined }} */
export const clientEnv = {
  // NEXT_PUBLIC_CLIENTVAR: process.env.NEXT_PUBLIC_CLIENTVAR,
};
"""
TYPED_VALUES_AFTER = """\
import { z } from "zod";

export const serverSchema = z.object({
  NODE_ENV: z.enum(["development", "test", "production"]),
  RELAY_SECRET: z.string().optional(),
  RELAY_URL: z.string().optional(),
});

/** @type {{ [k in keyof z.infer<typeof serverSchema>]: z.infer<typeof serverSchema>[k] | undefined }} */
export const serverEnv = {
  NODE_ENV: process.env.NODE_ENV,
  RELAY_SECRET: process.env.RELAY_SECRET,
  RELAY_URL: process.env.RELAY_URL,
};

export const clientSchema = z.object({
  // NEXT_PUBLIC_CLIENTVAR: z.string(),
  NEXT_PUBLIC_RELAY_HOST: z.string().optional(),
  NEXT_PUBLIC_CHAT_MODE: z.string().optional(),
});

/** @type {{ [k in keyof z.infer<typeof clientSchema>]: z.infer<typeof clientSchema>[k] | undefined }} */
export const clientEnv = {
  // NEXT_PUBLIC_CLIENTVAR: process.env.NEXT_PUBLIC_CLIENTVAR,
  NEXT_PUBLIC_RELAY_HOST: process.env.NEXT_PUBLIC_RELAY_HOST,
  NEXT_PUBLIC_CHAT_MODE: process.env.NEXT_PUBLIC_CHAT_MODE,
};
"""

# By name: before and after; what is declared in each is what the app's formatter would leave as it is.
SCHEMAS = {
    "t3": (T3, T3_AFTER),
    "experimental runtimeEnv, objects on one line": (EXPERIMENTAL, EXPERIMENTAL_AFTER),
    "valibot, env-core, no trailing commas": (VALIBOT, VALIBOT_AFTER),
    "zod/mini, the server's side alone": (MINI, MINI_AFTER),
    "two zod objects": (TWO_OBJECTS, TWO_OBJECTS_AFTER),
    "two zod objects with typed values": (TYPED_VALUES, TYPED_VALUES_AFTER),
}
