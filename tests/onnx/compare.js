// Runs every model NAME.onnx of a folder on the inputs of NAME.*.safetensors and compares with the outputs there.
const fs = require('node:fs');
const path = require('node:path');
const ort = require('onnxruntime-node');

const tolerance = 1e-5;
const kinds = {
  F32: ['float32', Float32Array],
  F64: ['float64', Float64Array],
  I64: ['int64', BigInt64Array],
  BOOL: ['bool', Uint8Array],
};

function readSafetensors(file) {
  const bytes = fs.readFileSync(file);
  const length = Number(bytes.readBigUInt64LE(0));
  const tensors = {};
  for (const [name, entry] of Object.entries(JSON.parse(bytes.toString('utf8', 8, 8 + length)))) {
    if (name === '__metadata__') continue;
    const [type, Elements] = kinds[entry.dtype];
    const [begin, end] = entry.data_offsets;
    const own = Uint8Array.from(bytes.subarray(8 + length + begin, 8 + length + end));  // aligned
    tensors[name] = new ort.Tensor(type, new Elements(own.buffer), entry.shape);
  }
  return tensors;
}

// The largest difference, by the size of the numbers above 1; Infinity for other shapes or kinds.
function distance(got, expected) {
  if (got.type !== expected.type || got.dims.join() !== expected.dims.join()) return Infinity;
  let worst = 0;
  for (let i = 0; i < expected.data.length; ++i) {
    const a = Number(got.data[i]), b = Number(expected.data[i]);
    const d = Object.is(a, b) ? 0 : Math.abs(a - b) / Math.max(1, Math.abs(b));
    if (!(d <= worst)) worst = Number.isNaN(d) ? Infinity : d;
  }
  return worst;
}

async function main(folder) {
  const files = fs.readdirSync(folder).sort();
  let passed = 0, failed = 0;
  for (const model of files.filter((f) => f.endsWith('.onnx'))) {
    const name = model.slice(0, -'.onnx'.length);
    const runs = files.filter((f) => f.startsWith(name + '.') && f.endsWith('.safetensors'));
    let worst = runs.length > 0 ? 0 : Infinity, why = '';
    try {
      const session = await ort.InferenceSession.create(path.join(folder, model), {logSeverityLevel: 3});
      for (const run of runs) {
        const tensors = readSafetensors(path.join(folder, run));
        const feeds = Object.fromEntries(session.inputNames.map((n) => [n, tensors[n]]));
        const got = await session.run(feeds);
        for (const output of session.outputNames) {
          const d = distance(got[output], tensors[output]);
          if (d > tolerance) why += ` ${run} ${output}`;
          worst = Math.max(worst, d);
        }
      }
    } catch (error) {
      worst = Infinity;
      why = ` ${error.message}`;
    }
    const good = worst <= tolerance;
    if (good) ++passed;
    else ++failed;
    console.log(`${good ? 'ok    ' : 'FAILED'} ${name}: ${runs.length} runs, largest difference ${worst.toExponential(1)}${why}`);
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(passed > 0 && failed === 0 ? 0 : 1);
}

main(process.argv[2]);
