// node componentize.mjs SOURCE WIT WORLD OUT [DISABLED_FEATURE...]: makes a component of one module.
import { writeFile } from "node:fs/promises";
import { componentize } from "@bytecodealliance/componentize-js";

const [sourcePath, witPath, worldName, out, ...disableFeatures] = process.argv.slice(2);
try {
  const { component } = await componentize({ sourcePath, witPath, worldName, disableFeatures });
  await writeFile(out, component);
} catch (error) {
  console.error(error?.message ?? error);
  process.exitCode = 1;
}
