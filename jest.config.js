const jestJupyterLab = require('@jupyterlab/testing/lib/jest-config');

// Packages that ship ES modules only, which Node's CommonJS loader cannot read.
const esModules = [
  '@codemirror',
  '@jupyter',
  '@jupyterlab/',
  '@marijn',
  '@microsoft',
  '@rjsf',
  'color',
  'd3-[a-z]+',
  'exenv-es6',
  'internmap',
  'lib0',
  'marked',
  'nanoid',
  'uplot',
  'vscode-ws-jsonrpc',
  'y-protocols',
  'y-websocket',
  'yjs'
].join('|');

const baseConfig = jestJupyterLab(__dirname);

module.exports = {
  ...baseConfig,
  automock: false,
  collectCoverageFrom: [
    'src/**/*.{ts,tsx}',
    '!src/**/*.d.ts',
    '!src/api/schema.ts'
  ],
  coverageReporters: ['lcov', 'text'],
  modulePathIgnorePatterns: [
    '<rootDir>/.venv',
    '<rootDir>/sandbox',
    '<rootDir>/dotscience_jupyter/labextension',
    '<rootDir>/lib',
    '<rootDir>/ui-tests'
  ],
  reporters: ['default'],
  testRegex: 'src/.*\\.spec\\.tsx?$',
  transform: {
    ...baseConfig.transform,
    '^.+\\.jsx?$': '<rootDir>/build/jest-packages.mjs',
    '^.+\\.mjs$': '<rootDir>/build/jest-packages.mjs',
    // Types are checked by `tsc -p tsconfig.test.json`, once and not per worker.
    '^.+\\.tsx?$': ['ts-jest/legacy', { tsconfig: './tsconfig.test.json' }]
  },
  transformIgnorePatterns: [`/node_modules/(?!(${esModules})).+`]
};
