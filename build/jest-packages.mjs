/*
 * Copyright (c) dotscience-jupyter contributors.
 * Distributed under the terms of the BSD 3-Clause License.
 *
 * Turns the ES modules of packages into what Node's CommonJS loader reads, for Jest. The bundler that
 * builds the extension has a compiler in it that takes a thirtieth of the time that Babel takes.
 */
import { experiments } from '@rspack/core';

const options = {
  jsc: { parser: { syntax: 'ecmascript' }, target: 'es2022' },
  module: { type: 'commonjs' },
  swcrc: false
};

export default {
  process: (source, filename) => ({
    code: experiments.swc.transformSync(source, { ...options, filename }).code
  })
};
