// Reads [[tex, displayed], …] from standard input, writes the list of their MathML.
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"

// Resolved from the project, where npm installs it, not from this file.
const temml = createRequire(process.cwd() + "/")("temml")
const formulae = JSON.parse(readFileSync(0, "utf8"))

const rendered = formulae.map(([tex, displayMode]) => {
  try {
    return temml.renderToString(tex, { displayMode, throwOnError: true, annotate: false })
  } catch (error) {
    console.error(`cannot render $ ${tex} $: ${error.message}`)
    process.exit(1)
  }
})
console.log(JSON.stringify(rendered))
