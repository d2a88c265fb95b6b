/**
 * The licences of everything that the package carries, as the file `copyright` of a Debian package.
 *
 * Made from what was really bundled, never from a list that somebody keeps. A package that says nothing of a licence is refused,
 * for it must not be handed on. Reads next: layout.ts.
 */
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "./bundle.ts";

const HEAD = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: Rutter
Comment: The program is bundled with the packages below, each under its own licence.
`;

const LICENCE = "{LICENSE,LICENCE,License,license,COPYING}{,.md,.txt,-MIT,.MIT}";

/** `inputs`: bundled files, from the root or absolute. `node`: Node's binary, whose package has its licence beside it. */
export function licences(inputs: readonly string[], node: string): string {
  const folders = new Set(inputs.flatMap((input) => packageFolder(input) ?? []));
  folders.add(join(dirname(node), ".."));
  const paragraphs = [...folders].map(paragraph);
  return [HEAD, ...new Set(paragraphs.toSorted())].join("\n");
}

/** The folder of the package that a file belongs to; undefined for our own. */
function packageFolder(input: string): string | undefined {
  const path = input.replace(/^[a-z]+:/, "");
  const [, folder] = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path) ?? [];
  return folder === undefined ? undefined : join(folder.startsWith("/") ? "" : ROOT, folder);
}

type Manifest = { readonly name: string; readonly version: string; readonly license?: string };

function paragraph(folder: string): string {
  const about: Manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const { name, version, license } = about;
  const text = licenceText(folder, name);
  if (license === undefined && text === undefined) {
    throw new Error(`${name} says nothing of its licence: it can't be handed on`);
  }
  const lines = (text ?? "Named in its package.json; it holds no text of it.").trim().split("\n");
  const indented = lines.map((line) => (line.trim() === "" ? " ." : ` ${line.trimEnd()}`));
  return `Files: ${name}\nComment: ${name} ${version}\nLicense: ${license ?? "other"}\n${indented.join("\n")}\n`;
}

/** A package that is one part of another (koffi's binaries) has its text there. */
function licenceText(folder: string, name: string): string | undefined {
  const parent = join(ROOT, "node_modules", name.replace(/^@koromix\/(koffi)-.*$/, "$1"));
  for (const place of [folder, parent]) {
    const [file] = globSync(LICENCE, { cwd: place }).toSorted();
    if (file !== undefined) return readFileSync(join(place, file), "utf8");
  }
  return undefined;
}
