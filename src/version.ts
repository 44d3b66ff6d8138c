// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/**
 * The version of this front end; a test holds it equal to `package.json`'s.
 */
export const VERSION = '0.1.0';
