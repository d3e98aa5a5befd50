// node bundle.mjs ENTRY OUT: makes one module of ENTRY and what it imports, and prints the host interfaces that it needs.
import { dirname } from "node:path";
import { rolldown } from "rolldown";

const [entry, out] = process.argv.slice(2);
const bundle = await rolldown({
  input: entry,
  cwd: dirname(entry),
  external: [/^(mint|wasi):/],
  platform: "neutral",
  resolve: { mainFields: ["module", "main"], conditionNames: ["import", "default"] },
  // An interface that nothing uses must not become an import of the component.
  treeshake: { moduleSideEffects: "no-external" },
});
const { output } = await bundle.write({ file: out, format: "esm", codeSplitting: false });
await bundle.close();
process.stdout.write(JSON.stringify(output[0].imports));
