// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/**
 * A workspace and its hub: connecting, what goes there by itself, a hub that is away, commits of
 * others, a clone. The hub is a real one that the test starts and kills.
 */

import { execFileSync, spawn, type ChildProcess } from 'child_process';
import * as fs from 'fs';
import * as os from 'os';
import * as path from 'path';

import {
  emptyProject,
  execute,
  expect,
  FILES,
  open,
  openPanel,
  panel,
  rows,
  runAll,
  seriousProblems,
  shot,
  test,
  writeNotebook
} from './helpers';

const PASSWORD = 'correct horse';
const PUBLISH = `import dotscience as ds
ds.start("a run")
ds.summary("size", len(open("notes.txt").read()))
ds.publish()`;

/** Where the hub keeps its data, and the second workspace lies. */
const base = fs.mkdtempSync(path.join(os.tmpdir(), 'dotscience-ui-hub-'));

let hub: ChildProcess | null = null;

/** Start the hub, and return its address. */
async function startHub(port = 0): Promise<string> {
  const started = spawn(
    'python',
    [
      ...['-m', 'dotscience_jupyter.cli', 'hub', 'start', '--json'],
      ...['--ip', '127.0.0.1', '--port', String(port)],
      ...['--data', path.join(base, 'hub')]
    ],
    {
      env: { ...process.env, DOTSCIENCE_ADMIN_PASSWORD: PASSWORD },
      stdio: ['ignore', 'pipe', 'ignore']
    }
  );
  hub = started;
  return new Promise((resolve, reject) => {
    let text = '';
    started.once('exit', () => reject(new Error('The hub did not start.')));
    started.stdout.on('data', data => {
      text += data;
      if (text.includes('\n')) {
        resolve(JSON.parse(text.split('\n')[0]).url);
      }
    });
  });
}

/** End the hub as a power cut would. */
async function killHub(): Promise<void> {
  const killed = hub;
  hub = null;
  if (killed && killed.exitCode === null) {
    const ended = new Promise(resolve => killed.once('exit', resolve));
    killed.kill('SIGKILL');
    await ended;
  }
}

/** Do something on the command line, as somebody else. */
function other(args: string[], folder = base, input = ''): string {
  return execFileSync('python', ['-m', 'dotscience_jupyter.cli', ...args], {
    cwd: folder,
    input,
    encoding: 'utf-8',
    env: { ...process.env, JUPYTER_CONFIG_DIR: path.join(base, 'config') }
  });
}

test.afterAll(async () => {
  await killHub();
  fs.rmSync(base, { recursive: true, force: true });
});

test('commits go to a hub and come from one', async ({ page }) => {
  const folder = emptyProject('sync');
  const file = (name: string) => path.join(FILES, folder, name);
  fs.writeFileSync(file('notes.txt'), 'mine\n');
  writeNotebook(folder, 'train.ipynb', [PUBLISH]);
  const url = await startHub();
  const section = panel(page).getByRole('region', { name: 'Hub' });
  const state = section.getByRole('status');
  const dialog = page.locator('.jp-Dialog');

  await test.step('a workspace without a hub', async () => {
    await open(page, `${folder}/train.ipynb`);
    await openPanel(page);
    await runAll(page);
    await expect(rows(page)).toHaveCount(1, { timeout: 30000 });
    await expect(state).toHaveText('Not connected to a hub');
    await expect(page.locator('.jp-DotscienceHubStatus')).toHaveText(
      'Not connected to a hub'
    );
  });

  await test.step('logging in, and a project that is made', async () => {
    await section.getByRole('button', { name: 'Connect to a Hub…' }).click();
    await expect(dialog.getByLabel('Address of the hub')).toBeFocused();
    await dialog.getByLabel('Address of the hub').fill(url);
    await dialog.getByLabel('User').fill('admin');
    await dialog.getByLabel('Password').fill('a wrong one');
    expect(await seriousProblems(page, '.jp-Dialog')).toEqual([]);
    await dialog.getByRole('button', { name: 'Log In' }).click();
    await expect(dialog.getByRole('alert')).toBeVisible();
    await expect(dialog.getByLabel('User')).toHaveValue('admin');
    // typing begins there, once the dialog is drawn
    await expect(dialog.getByLabel('User')).toBeFocused();
    await dialog.getByLabel('Password').fill(PASSWORD);
    await shot(page, '70-hub-login');
    // as on the keyboard
    await dialog.getByLabel('Password').press('Enter');
    await expect(dialog.getByLabel('Name of the new project')).toHaveValue(
      folder
    );
    await shot(page, '71-hub-project');
    await dialog.getByRole('button', { name: 'Connect' }).click();
    await expect(state).toHaveText('Everything is on the hub', {
      timeout: 30000
    });
    await expect(page.locator('.jp-DotscienceHubStatus')).toHaveText(
      'Everything is on the hub'
    );
    expect(await seriousProblems(page, '.jp-DotscienceHub')).toEqual([]);
    await shot(page, '72-hub-connected');
  });

  await test.step('the hub is killed; a commit waits', async () => {
    await killHub();
    await runAll(page);
    await expect(rows(page)).toHaveCount(2, { timeout: 30000 });
    await expect(state).toHaveText('Hub not reached, 1 ahead', {
      timeout: 30000
    });
    await expect(section).toContainText('Trying again by itself');
    expect(await seriousProblems(page, '.jp-DotscienceHub')).toEqual([]);
    await shot(page, '73-hub-away');
  });

  await test.step('it is back, and gets the commit unasked', async () => {
    expect(await startHub(Number(new URL(url).port))).toBe(url);
    await expect(state).toHaveText('Everything is on the hub', {
      timeout: 90000
    });
  });

  await test.step('the commit of a second workspace', async () => {
    other(
      ['login', url, '--user', 'admin', '--password-stdin'],
      base,
      PASSWORD
    );
    other(['clone', `${url}/admin/${folder}`, 'second']);
    const second = path.join(base, 'second');
    expect(fs.readFileSync(path.join(second, 'notes.txt'), 'utf-8')).toBe(
      'mine\n'
    );
    fs.writeFileSync(path.join(second, 'notes.txt'), 'theirs\n');
    other(['commit', '-m', 'theirs'], second);
    other(['push'], second);
  });

  await test.step('is fetched, and then pulled into an open editor', async () => {
    await execute(page, 'docmanager:open', {
      path: `${folder}/notes.txt`,
      factory: 'Editor'
    });
    const editor = page.locator('.jp-FileEditor:visible .cm-content');
    await expect(editor).toContainText('mine');
    // all of it with the keyboard
    await section.getByRole('button', { expanded: false }).press('Enter');
    await expect(section).toContainText(`admin/${folder}`);
    await section.getByRole('button', { name: 'Fetch' }).press('Enter');
    await expect(state).toHaveText('1 behind', { timeout: 30000 });
    expect(fs.readFileSync(file('notes.txt'), 'utf-8')).toBe('mine\n');
    await shot(page, '74-hub-behind');
    await section.getByRole('button', { name: 'Pull' }).first().press('Enter');
    await expect(state).toHaveText('Everything is on the hub', {
      timeout: 30000
    });
    expect(fs.readFileSync(file('notes.txt'), 'utf-8')).toBe('theirs\n');
    await expect(editor).toContainText('theirs');
  });

  await test.step('pushing by hand, and the end of it', async () => {
    await execute(page, 'dotscience:push');
    await expect(page.getByText('The hub has every commit.')).toBeVisible();
    await section.getByRole('button', { name: 'Log Out…' }).click();
    await shot(page, '75-hub-logout');
    expect(await seriousProblems(page, '.jp-Dialog')).toEqual([]);
    await dialog.getByRole('button', { name: 'Log Out' }).click();
    await expect(state).toHaveText('Not logged in on the hub');
    await expect(section).toContainText('Commits stay here');
    await section.getByRole('button', { name: 'Log In…' }).click();
    await expect(dialog.getByLabel('Address of the hub')).toHaveValue(url);
    await expect(dialog.getByLabel('User')).toBeFocused();
    await dialog.getByLabel('User').fill('admin');
    await dialog.getByLabel('Password').fill(PASSWORD);
    await dialog.getByRole('button', { name: 'Log In' }).click();
    await expect(state).toHaveText('Everything is on the hub', {
      timeout: 30000
    });
    await section.getByRole('button', { name: 'Disconnect…' }).click();
    await dialog.getByRole('button', { name: 'Disconnect' }).click();
    await expect(state).toHaveText('Not connected to a hub');
  });

  await test.step('the project is cloned into a new folder', async () => {
    const copy = `${folder}-copy`;
    fs.rmSync(path.join(FILES, copy), { recursive: true, force: true });
    await section.getByRole('button', { name: 'Clone a Project…' }).click();
    const search = dialog.getByLabel('Search, or the address of a project');
    await expect(search).toBeFocused();
    await expect(dialog.getByRole('listbox').getByRole('option')).toContainText(
      'theirs'
    );
    // all of it with the keyboard
    await search.press('ArrowDown');
    await expect(dialog.getByLabel('New folder')).toHaveValue(folder);
    expect(await seriousProblems(page, '.jp-Dialog')).toEqual([]);
    await shot(page, '76-hub-clone');
    await search.press('Enter');
    // nothing is cloned over what is there
    await expect(dialog.getByRole('alert')).toContainText('not empty');
    await dialog.getByLabel('New folder').fill(copy);
    await dialog.getByLabel('New folder').press('Enter');
    await expect(
      page.getByText(`admin/${folder} is in ${copy} now`)
    ).toBeVisible({ timeout: 30000 });
    await expect(
      panel(page).getByRole('heading', { name: copy })
    ).toBeVisible();
    await expect(state).toHaveText('Everything is on the hub');
    await expect(rows(page)).toHaveCount(2);
    expect(fs.readFileSync(path.join(FILES, copy, 'notes.txt'), 'utf-8')).toBe(
      'theirs\n'
    );
    await shot(page, '77-hub-cloned');
  });
});
