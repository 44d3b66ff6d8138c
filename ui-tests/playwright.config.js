/**
 * Galata on the distribution's Chromium; the server runs in a fresh folder (start_server.py).
 */
const baseConfig = require('@jupyterlab/galata/lib/playwright-config');

const port = process.env.DOTSCIENCE_UI_PORT ?? '18988';
// below a prefix, as under JupyterHub: nothing may take the server's root for granted
process.env.TARGET_URL = `http://127.0.0.1:${port}/user/me`;

module.exports = {
  ...baseConfig,
  testDir: './tests',
  timeout: 300000,
  // other tests may run beside these
  expect: { timeout: 20000 },
  workers: 1,
  // scripts/run_tests.py tries what failed once more, when the machine is quiet
  retries: 0,
  reporter: [
    ['list'],
    ...(process.env.PLAYWRIGHT_JSON_OUTPUT_NAME ? [['json']] : [])
  ],
  use: {
    ...baseConfig.use,
    baseURL: process.env.TARGET_URL,
    // Playwright's own ffmpeg is not needed then
    video: 'off',
    // recording takes a third of the processor
    trace: process.env.CI ? 'off' : 'retain-on-failure',
    screenshot: 'only-on-failure',
    viewport: { width: 1280, height: 800 },
    navigationTimeout: 90000,
    launchOptions: {
      executablePath: process.env.CHROMIUM_PATH || '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-dev-shm-usage',
        '--disable-gpu',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync'
      ]
    }
  },
  webServer: {
    command: 'python start_server.py',
    url: `${process.env.TARGET_URL}/lab`,
    timeout: 120000,
    reuseExistingServer: false,
    stdout: 'ignore',
    stderr: 'ignore', // start_server.py keeps what the server says in a file
    env: { ...process.env, DOTSCIENCE_UI_PORT: port }
  }
};
