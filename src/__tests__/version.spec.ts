// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { version } from '../../package.json';
import { VERSION } from '../version';

describe('VERSION', () => {
  it('is the version of the package', () => {
    expect(VERSION).toBe(version);
  });
});
