/**
 * The same server and browser as the tests, for what a user waits for (`make bench`).
 */
const baseConfig = require('./playwright.config.js');

module.exports = {
  ...baseConfig,
  testDir: './benchmarks',
  retries: 0,
  reporter: [['line']],
  use: { ...baseConfig.use, trace: 'off', screenshot: 'off' }
};
