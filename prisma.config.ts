// Prisma Migrate without its downloaded engines: the WebAssembly schema engine over the `pg` driver.
import { PrismaPg } from "@prisma/adapter-pg";
import { defineConfig } from "prisma/config";

const TEXT = 25;
const INTERNAL_CHAR = 18;

// The engine sets a 10 s timer for its advisory lock and never clears it: it must not keep the command alive.
const setTimer = globalThis.setTimeout;
globalThis.setTimeout = ((...timer: Parameters<typeof setTimer>) => setTimer(...timer).unref()) as typeof setTimeout;

class Adapter extends PrismaPg {
  override async connect() {
    const connection = await super.connect();
    const pool = connection.underlyingDriver();

    // The stock method splits a script at every ";", which breaks function bodies and leaves a failed migration half
    // applied. One query with the whole script is parsed by Postgres and runs in one transaction.
    connection.executeScript = async (script) => {
      try {
        await pool.query(script);
      } catch (error: any) {
        const line = error.position && script.slice(0, error.position - 1).split("\n").length;
        console.error(`${line ? `line ${line}: ` : ""}${error.message} (SQLSTATE ${error.code})`);
        connection["onError"](error);
      }
    };

    // The engine reads catalogs of Postgres' own type "char", which this adapter refuses and the engine takes as text.
    const query = pool.query.bind(pool) as (...request: unknown[]) => Promise<any>;
    pool.query = (async (...request: unknown[]) => {
      const result = await query(...request);
      for (const field of result.fields ?? []) {
        if (field.dataTypeID === INTERNAL_CHAR) field.dataTypeID = TEXT;
      }
      return result;
    }) as typeof pool.query;
    return connection;
  }

  // With a connection string the stock method's shadow database is the real one, which it would empty.
  override connectToShadowDb(): never {
    throw new Error("There is no shadow database: `migrate dev`, `--from-migrations` and `--to-migrations` cannot run.");
  }
}

export default defineConfig({
  schema: "prisma/schema.prisma",
  migrations: { path: "prisma/migrations" },
  experimental: { adapter: true },
  engine: "js",
  adapter: async () => new Adapter({ connectionString: process.env.DATABASE_URL, allowExitOnIdle: true }),
});
