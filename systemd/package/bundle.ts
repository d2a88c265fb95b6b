/**
 * The program as a package carries it: bundled by esbuild into chunks, with the files beside that it reads while it runs.
 *
 * What is imported when it is needed stays a chunk of its own, so that a command loads no more than it does from the sources.
 * Native modules are copied as they are. Nothing is left to be resolved on the host: no node_modules is there. One rule holds
 * it together: all code lies in one folder, so that `../` and `./` of import.meta mean what layout.ts puts there.
 * The one door of esbuild. Reads next: layout.ts.
 */
import { copyFileSync, globSync, mkdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { build, type BuildOptions, type Plugin } from "esbuild";

export const ROOT = join(import.meta.dirname, "../..");

/** The program; the log's writer, which is a thread with an entry of its own; and what compiles them on the host. */
const PROGRAM = {
  main: "agent/main.ts",
  writer: "events/log/writer.ts",
  warm: "systemd/package/warm.ts",
} as const;
const BFD = { main: "systemd/package/bfd.ts" } as const;

/** CommonJS among the packages asks for what ES modules lack. */
const BANNER = [
  'import { createRequire as rutterRequire } from "node:module";',
  "const require = rutterRequire(import.meta.url);",
  "const __filename = import.meta.filename;",
  "const __dirname = import.meta.dirname;",
].join(" ");

/** What was bundled: the inputs' paths from the root, also those of native modules. */
export type Bundled = { readonly inputs: readonly string[] };

/** The machine whose native modules are taken, as Node calls it, and a node_modules that has koffi's. */
export type BundledFor = { readonly cpu: string; readonly packages: string };

/** Bundles the program into `directory`, which is made. Throws where a source is not as this file expects it. */
export async function bundleProgram(directory: string, target: BundledFor): Promise<Bundled> {
  const what = { entryPoints: { ...PROGRAM }, splitting: true };
  const bundled = await bundle(directory, target, what);
  for (const file of globSync("migrations/*.sql", { cwd: ROOT })) {
    copyFileSync(join(ROOT, file), join(directory, basename(file)));
  }
  return bundled;
}

/** The BFD process alone, in one file beside its native module. */
export const bundleBfd = (directory: string, target: BundledFor): Promise<Bundled> =>
  bundle(directory, target, { entryPoints: { ...BFD } });

async function bundle(
  directory: string,
  target: BundledFor,
  what: Pick<BuildOptions, "entryPoints" | "splitting">,
): Promise<Bundled> {
  mkdirSync(directory, { recursive: true });
  const { metafile } = await build({
    ...what,
    absWorkingDir: ROOT,
    outdir: directory,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node24",
    // Names stay, for messages and stacks; esbuild's way to keep them under short ones cost a start 130 ms.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "none",
    // Paths of packages stand in the bundle: where node_modules really is must not.
    preserveSymlinks: true,
    banner: { js: BANNER },
    loader: { ".node": "copy" },
    entryNames: "[name]",
    chunkNames: "[name]-[hash]",
    assetNames: "[name]-[hash]",
    metafile: true,
    logLevel: "error",
    plugins: [builtins(), nativeModules(target), threads(), lessToLoad()],
  });
  return { inputs: Object.keys(metafile.inputs) };
}

/**
 * Node's own modules, taken without a namespace of theirs: to make one, Node reads all that they export, and some of that is a
 * getter behind which much is loaded (node:http brings a WebSocket client; a command took 45 ms longer by it).
 */
const builtins = (): Plugin => ({
  name: "builtins",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/, namespace: "file" }, ({ path, kind }) =>
      kind === "import-statement" ? { path, namespace: "builtin", sideEffects: false } : undefined,
    );
    onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
    }));
  },
});

/** better-sqlite3 and koffi look for their binaries when they are loaded; here it is known which they are. */
function nativeModules({ cpu, packages }: BundledFor): Plugin {
  const platform = `linux-${cpu}`;
  const koffi = join(packages, `@koromix/koffi-${platform}`, platform.replace("-", "_"));
  return {
    name: "native modules",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^better-sqlite3$/ }, () => ({
        path: join(ROOT, `node_modules/better-sqlite3/lib/${platform}.js`),
      }));
      onResolve({ filter: /^koffi$/ }, () => ({ path: "koffi", namespace: "native" }));
      onLoad({ filter: /.*/, namespace: "native" }, () => ({
        contents: 'module.exports = require("./koffi.node");',
        resolveDir: koffi,
      }));
    },
  };
}

/** What fastify asks for and does not get: it speaks HTTP/1.1 here, and routes have no schemas but zod's (agent/api/server.ts). */
const UNUSED = /^(?:node:http2|@fastify\/(?:ajv|fast-json-stringify)-compiler)$/;

/** Every character of a chunk is held in memory, once it is loaded, for as long as the process lives. */
const lessToLoad = (): Plugin => ({
  name: "less to load",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: UNUSED, namespace: "file" }, ({ path, importer }) =>
      importer.includes("/node_modules/fastify/") ? { path, namespace: "unused" } : undefined,
    );
    onLoad({ filter: /.*/, namespace: "unused" }, () => ({ contents: "module.exports = {};" }));
    // rxjs gives Node its CommonJS, of which all is bundled; these are the same functions as ES modules.
    onResolve({ filter: /^rxjs$/ }, () => ({
      path: join(ROOT, "node_modules/rxjs/dist/esm/index.js"),
      sideEffects: false,
    }));
  },
});

const THREAD = 'new URL("./writer.ts", import.meta.url)';

/** esbuild follows no URL of a thread's entry. */
function threads(): Plugin {
  return {
    name: "threads",
    setup({ onLoad }) {
      onLoad({ filter: /\/events\/log\/open-log\.ts$/ }, ({ path }) => {
        const source = readFileSync(path, "utf8");
        if (!source.includes(THREAD)) throw new Error(`${path} starts its thread in another way`);
        const contents = source.replace(THREAD, THREAD.replace(".ts", ".js"));
        return { contents, loader: "ts" };
      });
    },
  };
}
