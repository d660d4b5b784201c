// Prisma Migrate without its downloaded engines: the WebAssembly schema engine over the `pg` driver.
import { PrismaPg } from "@prisma/adapter-pg";
import { defineConfig } from "prisma/config";

const OID_TEXT = 25;
const OID_CHAR = 18;
const COLUMN_CHARACTER = 6; // ColumnTypeEnum.Character of @prisma/driver-adapter-utils

// The engine sets a 10 s timer for its advisory lock and never clears it: it must not keep the command alive.
const setTimer = globalThis.setTimeout;
globalThis.setTimeout = ((...timer: Parameters<typeof setTimer>) => setTimer(...timer).unref()) as typeof setTimeout;

class Adapter extends PrismaPg {
  override async connect() {
    const connection = await super.connect();
    const pool = connection.underlyingDriver();
    const query = pool.query.bind(pool) as (...request: unknown[]) => Promise<any>;

    // The stock method splits a script at every ";", which breaks function bodies and leaves a failed migration half
    // applied. One query with the whole script is parsed by Postgres and runs in one transaction.
    connection.executeScript = async (script) => {
      try {
        await query(script);
      } catch (error: any) {
        const line = error.position && script.slice(0, error.position - 1).split("\n").length;
        console.error(`${line ? `line ${line}: ` : ""}${error.message} (SQLSTATE ${error.code})`);
        connection["onError"](error);
      }
    };

    // The engine reads catalogs with columns of Postgres' own type "char", which this adapter does not know.
    const characters = new WeakMap<object, number[]>();
    pool.query = (async (...request: unknown[]) => {
      const result = await query(...request);
      const found: any[] = result.fields.filter((field: any) => field.dataTypeID === OID_CHAR);
      characters.set(result.rows, found.map((field) => result.fields.indexOf(field)));
      for (const field of found) field.dataTypeID = OID_TEXT;
      return result;
    }) as typeof pool.query;
    const queryRaw = connection.queryRaw.bind(connection);
    connection.queryRaw = async (request) => {
      const result = await queryRaw(request);
      for (const column of characters.get(result.rows) ?? []) result.columnTypes[column] = COLUMN_CHARACTER;
      return result;
    };
    return connection;
  }

  // With a connection string the stock method's shadow database is the real one.
  override async connectToShadowDb(): Promise<never> {
    const message = "There is no shadow database, so `migrate dev`, `--from-migrations` and `--to-migrations` cannot run.";
    console.error(message); // of a thrown error the engine shows no more than that there was one
    throw new Error(message);
  }
}

export default defineConfig({
  schema: "prisma/schema.prisma",
  migrations: { path: "prisma/migrations" },
  experimental: { adapter: true },
  engine: "js",
  adapter: async () => new Adapter({ connectionString: process.env.DATABASE_URL, allowExitOnIdle: true }),
});
