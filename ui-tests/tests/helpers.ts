// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import {
  expect,
  IJupyterLabPageFixture,
  test as galata
} from '@jupyterlab/galata';
import type {
  BrowserContext,
  ConsoleMessage,
  Locator,
  Page
} from '@playwright/test';
import { test as playwright } from '@playwright/test';
import { execFileSync } from 'child_process';
import * as fs from 'fs';
import * as os from 'os';
import * as path from 'path';

/** Where the server of these tests keeps its files (see start_server.py). */
export const FILES = path.join(
  os.tmpdir(),
  `dotscience-ui-tests-${process.env.DOTSCIENCE_UI_PORT ?? '18988'}`,
  'files'
);

/** Where screenshots for people go. */
export const SHOTS = path.join(__dirname, '..', 'test-results', 'shots');

/**
 * What is no fault of ours: requests that are refused on purpose or while the network is gone, of
 * which Chromium tells by itself (tests look at what people see of it), and what JupyterLab's
 * shortcuts and Notebook 7's list of files say when they are loaded in an unlucky order.
 */
const HARMLESS = [
  /^Failed to load resource: (net::|the server responded with a status of (4\d\d|50[234]) )/,
  /^TypeError: Cannot read properties of undefined \(reading 'schema'\)\s+at \S+\/static\/(lab|notebook)\//,
  /^Cannot convert undefined or null to object \(\S+\/static\/notebook\//,
  /^Error: Command 'filebrowser:open-path' not registered\.\s+at \S+ \(\S+\/static\/notebook\//
];

/** How long JupyterLab may take to start beside other work, in ms; Galata gives it 15 s. */
const PATIENCE = 90_000;

/** An error of the console with the address that it is about. */
function told(message: ConsoleMessage): string {
  return `${message.text()} (${message.location().url})`;
}

/**
 * Fail a test in any of whose pages something was thrown or an error was written to the console.
 */
const noErrors = async (
  { context }: { context: BrowserContext },
  use: () => Promise<void>
): Promise<void> => {
  const errors: string[] = [];
  context.on('weberror', thrown => errors.push(String(thrown.error().stack)));
  context.on('console', message => {
    if (message.type() === 'error') {
      errors.push(told(message));
    }
  });
  await use();
  expect(
    errors.filter(error => !HARMLESS.some(pattern => pattern.test(error))),
    'errors of the page'
  ).toEqual([]);
};

/**
 * Playwright's own test, for pages that are not JupyterLab's; errors in them fail it.
 */
export const plain = playwright.extend<{ noErrors: void }>({
  noErrors: [noErrors, { auto: true }]
});

/**
 * Galata's test, of which each goes to a place of its own instead of the launcher; errors in its
 * pages fail it.
 */
export const test = galata.extend<{ noErrors: void }>({
  noErrors: [noErrors, { auto: true }],
  autoGoto: false,
  page: async ({ page }, use) => {
    const wait = page.waitForCondition.bind(page);
    page.waitForCondition = (condition, timeout = PATIENCE) =>
      wait(condition, timeout);
    await use(page);
  },
  waitForApplication: async ({ baseURL }, use) => {
    await use(async page => {
      await page.waitForFunction(() => Boolean((window as any).jupyterapp));
      await page.evaluate(() => (window as any).jupyterapp.restored);
      await page.locator('#jupyterlab-splash').waitFor({ state: 'detached' });
    });
  }
});

export { expect };

/**
 * Leave a test out in CI, which has 25 minutes for everything; `make test` runs it elsewhere.
 */
export function notInCI(): void {
  test.skip(
    Boolean(process.env.CI) && !process.env.DOTSCIENCE_THOROUGH,
    'CI has 25 minutes for everything; set DOTSCIENCE_THOROUGH for it'
  );
}

/**
 * Make a folder of the server's with a fresh copy of the examples, and return its name.
 */
export function project(name: string): string {
  const folder = path.join(FILES, name);
  fs.rmSync(folder, { recursive: true, force: true });
  fs.cpSync(path.join(__dirname, '..', '..', 'examples'), folder, {
    recursive: true,
    filter: source => !/\.(ipynb_checkpoints|dotscience)/.test(source)
  });
  return name;
}

/**
 * Make an empty folder of the server's, and return its name.
 */
export function emptyProject(name: string): string {
  const folder = path.join(FILES, name);
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  return name;
}

/**
 * Write a notebook of code cells into a folder of the server's.
 */
export function writeNotebook(
  folder: string,
  name: string,
  cells: string[]
): void {
  const notebook = {
    cells: cells.map((source, index) => ({
      cell_type: 'code',
      id: `cell-${index}`,
      execution_count: null,
      metadata: {},
      outputs: [],
      source
    })),
    metadata: {
      kernelspec: {
        display_name: 'Python 3 (ipykernel)',
        language: 'python',
        name: 'python3'
      },
      language_info: { name: 'python' }
    },
    nbformat: 4,
    nbformat_minor: 5
  };
  fs.writeFileSync(
    path.join(FILES, folder, name),
    JSON.stringify(notebook, null, 1)
  );
}

/**
 * Open JupyterLab at a file and wait until the file is at hand.
 */
export async function open(
  page: IJupyterLabPageFixture,
  where: string
): Promise<void> {
  await page.goto(`tree/${where}`);
  // what was open before comes back first, and would be taken for the file
  await page.waitForFunction(
    file =>
      (window as any).jupyterapp.shell.currentWidget?.context?.path === file,
    where,
    { timeout: 60000 }
  );
}

/**
 * Execute a command of the application.
 */
export async function execute(
  page: Page,
  command: string,
  args: Record<string, unknown> = {}
): Promise<void> {
  await page.evaluate(
    async ([id, a]) => {
      await (window as any).jupyterapp.commands.execute(id, a);
    },
    [command, args] as const
  );
}

/** The side panel. */
export function panel(page: Page): Locator {
  return page.locator('#dotscience-panel');
}

/** The rows of the panel. */
export function rows(page: Page): Locator {
  return panel(page).getByRole('listbox', { name: 'Runs' }).getByRole('option');
}

/**
 * Open the panel.
 */
export async function openPanel(page: Page): Promise<void> {
  await execute(page, 'dotscience:open-panel');
  await expect(panel(page)).toBeVisible();
}

/**
 * Have the panel start tracking a folder, once that is the one it tells of.
 */
export async function startTracking(page: Page, folder: string): Promise<void> {
  await expect(panel(page)).toContainText(`The folder is ${folder}.`);
  await panel(page)
    .getByRole('button', { name: 'Start tracking this folder' })
    .click();
}

/**
 * Run all cells of the notebook at hand; returns when the last one has ended.
 */
export async function runAll(page: Page): Promise<void> {
  // a notebook that was just opened has to have its kernel first
  await page.waitForFunction(
    () => {
      const context = (window as any).jupyterapp.shell.currentWidget
        ?.sessionContext;
      return context?.isReady && context.session?.kernel?.status === 'idle';
    },
    null,
    { timeout: 60000 }
  );
  await execute(page, 'notebook:run-all-cells');
}

/**
 * Take a screenshot for people to look at.
 */
export async function shot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: path.join(SHOTS, `${name}.png`) });
}

/**
 * Fill a new workspace with runs, as fast as records can be written (make_runs.py).
 */
export function writeRuns(
  folder: string,
  count: number,
  shape?: 'wide',
  copies = 0
): void {
  execFileSync(
    'python',
    [
      path.join(__dirname, '..', 'make_runs.py'),
      path.join(FILES, folder),
      String(count),
      ...(shape ? [shape] : []),
      ...(copies ? [String(copies)] : [])
    ],
    { stdio: 'inherit' }
  );
}

/**
 * Make a workspace with a long lineage (make_lineage.py).
 *
 * @returns The ids of its first and of its last commit; both have notes.txt and train.ipynb
 */
export function writeLineage(
  folder: string,
  runs: number
): { first: string; last: string } {
  const script = path.join(__dirname, '..', 'make_lineage.py');
  const [first, last] = execFileSync(
    'python',
    [script, path.join(FILES, folder), String(runs)],
    { encoding: 'utf-8' }
  )
    .trim()
    .split(' ');
  return { first, last };
}

/**
 * What axe finds to be a serious or critical problem of accessibility in a part of the page.
 */
export async function seriousProblems(
  page: Page,
  selector: string
): Promise<string[]> {
  if (!(await page.evaluate(() => 'axe' in window))) {
    await page.evaluate(
      fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf-8')
    );
  }
  return page.evaluate(async where => {
    const results = await (window as any).axe.run(where, {
      resultTypes: ['violations']
    });
    return results.violations
      .filter((v: any) => ['serious', 'critical'].includes(v.impact))
      .flatMap((v: any) =>
        v.nodes.map((n: any) => `${v.id}: ${n.html.slice(0, 200)}`)
      );
  }, selector);
}
