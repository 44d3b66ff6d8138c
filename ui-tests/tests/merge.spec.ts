// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/**
 * Taking another commit's changes into the workspace: conflicts chosen and edited, finished, aborted.
 */

import type { Locator, Page } from '@playwright/test';
import { execFileSync } from 'child_process';
import * as fs from 'fs';
import * as os from 'os';
import * as path from 'path';

import {
  emptyProject,
  execute,
  expect,
  FILES,
  open,
  seriousProblems,
  shot,
  test
} from './helpers';
import type { ICell } from './history';
import { callApi, image, notebook } from './history';

const view = (page: Page): Locator =>
  page.locator('.jp-DotscienceMerge:visible');

const dialog = (page: Page): Locator => page.locator('.jp-Dialog');

/** What a cell printed, drew and showed; the picture is so large that it is asked for. */
function outputs(loss: number, colour: [number, number, number]): object[] {
  const picture = image(160, 90, colour, true).toString('base64');
  const table = `<table><tr><td>loss</td><td>${loss}</td></tr></table>`;
  return [
    { output_type: 'stream', name: 'stdout', text: 'loading\n' },
    {
      output_type: 'display_data',
      metadata: {},
      data: { 'image/png': picture, 'text/plain': '<Figure>' }
    },
    {
      output_type: 'display_data',
      metadata: {},
      data: {
        'text/html': `${table}<script>window.hacked = 1</script>`,
        'text/plain': 'a table'
      }
    },
    { output_type: 'stream', name: 'stdout', text: `loss ${loss}\n` }
  ];
}

/** The same notebook, of which some cells differ from side to side. */
function cells(
  second: string,
  fourth: string,
  loss: number,
  colour: [number, number, number]
): ICell[] {
  return [
    { source: '# Train\n\nA small model.', type: 'markdown' },
    { source: second, outputs: outputs(loss, colour) },
    { source: 'data = load("data.csv")' },
    { source: fourth }
  ];
}

/** What no text is, so that a side of it is chosen as a whole. */
const weights = (value: number): Buffer => Buffer.from([0, value, 0, 255]);

const SIDES = {
  base: {
    'weights.bin': weights(1),
    'train.ipynb': notebook(
      cells('rate = 0.1\nsteps = 10', 'fit(data)', 0.3, [90, 90, 90])
    ),
    'prepare.py': 'import os\n\nSIZE = 1\n\n\ndef main():\n    pass\n',
    'notes.txt': 'one\n'
  },
  theirs: {
    'weights.bin': weights(3),
    'train.ipynb': notebook(
      cells(
        'rate = 0.5\nsteps = 10',
        'fit(data)\nreport(data)',
        0.5,
        [200, 120, 40]
      )
    ),
    'prepare.py': 'import os\n\nSIZE = 3\n\n\ndef main():\n    run()\n',
    'notes.txt': 'one\n',
    'theirs.txt': 'new of theirs\n'
  },
  yours: {
    'weights.bin': weights(2),
    'train.ipynb': notebook(
      cells('rate = 0.2\nsteps = 10', 'fit(data)', 0.2, [40, 120, 200])
    ),
    'prepare.py': 'import os\n\nSIZE = 2\n\n\ndef main():\n    pass\n',
    'notes.txt': 'one\ntwo\n'
  }
};

/** A workspace of which the history parts; returns its name and the id of their commit. */
function parted(name: string): { folder: string; theirs: string } {
  const folder = emptyProject(name);
  const source = fs.mkdtempSync(path.join(os.tmpdir(), 'dotscience-sides-'));
  for (const [side, files] of Object.entries(SIDES)) {
    fs.mkdirSync(path.join(source, side));
    for (const [file, content] of Object.entries(files)) {
      fs.writeFileSync(
        path.join(source, side, file),
        typeof content === 'string' || Buffer.isBuffer(content)
          ? content
          : JSON.stringify(content, null, 1)
      );
    }
  }
  const script = path.join(__dirname, '..', 'make_branches.py');
  const theirs = execFileSync(
    'python',
    [script, path.join(FILES, folder), source],
    { encoding: 'utf-8' }
  ).trim();
  fs.rmSync(source, { recursive: true });
  return { folder, theirs };
}

const read = (folder: string, file: string): string =>
  fs.readFileSync(path.join(FILES, folder, file), 'utf-8');

test('conflicts are chosen and edited, and the result has two parents', async ({
  page
}) => {
  const { folder, theirs } = parted('merge');
  await open(page, `${folder}/prepare.py`);

  await test.step('what is not saved is named, and saved first', async () => {
    const editor = page.locator('.jp-FileEditor:visible .cm-content');
    await expect(editor).toContainText('SIZE = 2');
    await editor.click();
    await page.keyboard.press('Control+Home');
    await page.keyboard.type('# mine\n');
    await expect(editor).toContainText('# mine');
    const begun = execute(page, 'dotscience:open-merge', { theirs });
    await expect(dialog(page)).toContainText('prepare.py');
    await shot(page, '40-merge-unsaved');
    await dialog(page).getByRole('button', { name: 'Save and Merge' }).click();
    await begun;
    await expect(view(page)).toContainText('3 open conflicts in 3 files');
    expect(read(folder, 'prepare.py')).toContain('# mine');
    // nothing is written while conflicts are open
    expect(fs.existsSync(path.join(FILES, folder, 'theirs.txt'))).toBe(false);
  });

  await test.step('it cannot be finished while conflicts are open', async () => {
    const finish = view(page).getByRole('button', { name: 'Finish' });
    await expect(finish).toHaveAttribute('aria-disabled', 'true');
    expect(await seriousProblems(page, '.jp-DotscienceMerge')).toEqual([]);
    await shot(page, '41-merge-text');
  });

  await test.step('a conflict of a text is edited by hand', async () => {
    await view(page)
      .getByRole('button', { name: /prepare\.py/ })
      .click();
    await view(page).getByRole('button', { name: 'Edit…' }).click();
    const editor = view(page).getByRole('textbox', { name: 'Result' });
    await expect(editor).toBeFocused();
    await page.keyboard.press('Control+A');
    await page.keyboard.type('SIZE = 23');
    await shot(page, '42-merge-edit');
    expect(await seriousProblems(page, '.jp-DotscienceMerge')).toEqual([]);
    await view(page).getByRole('button', { name: 'Use this result' }).click();
    await expect(view(page)).toContainText('2 open conflicts in 2 files');
  });

  await test.step('of a file that is no text a side is chosen', async () => {
    await view(page)
      .getByRole('button', { name: /weights\.bin/ })
      .click();
    const conflict = view(page).getByRole('region', { name: /conflict:/ });
    await expect(conflict).toContainText('cannot be shown here as text');
    // what cannot be shown is not said to be removed
    await expect(conflict).not.toContainText('removed');
    await expect(
      conflict.getByRole('button', { name: /Keep both|Edit/ })
    ).toHaveCount(0);
    await conflict.getByRole('button', { name: 'Keep yours' }).press('Enter');
    await expect(conflict).toContainText('yours is kept');
    await shot(page, '42-merge-binary');
    expect(await seriousProblems(page, '.jp-DotscienceMerge')).toEqual([]);
    await conflict.getByRole('button', { name: 'Keep theirs' }).press('Enter');
    await expect(conflict).toContainText('theirs is kept');
    await expect(view(page)).toContainText('1 open conflict in 1 file');
  });

  await test.step('it is all there after a reload', async () => {
    await page.reload();
    await expect(view(page)).toContainText('1 open conflict in 1 file', {
      timeout: 30000
    });
  });

  await test.step('a conflict of a notebook is chosen, undone, and chosen', async () => {
    await view(page)
      .getByRole('button', { name: /train\.ipynb/ })
      .click();
    const conflict = view(page).getByRole('region', {
      name: /conflict: cell 2/
    });
    await expect(conflict).toContainText('rate = 0.2');
    await expect(conflict).toContainText('rate = 0.5');
    // what both sides made, so that one sees what one chooses
    const made = conflict.getByRole('group', { name: 'Outputs' });
    for (const side of ['yours', 'theirs']) {
      const picture = made.getByRole('img', { name: `Output of ${side}` });
      await expect(picture).toBeVisible();
      expect(
        await picture.evaluate((node: HTMLImageElement) => node.naturalWidth)
      ).toBe(160);
    }
    await expect(made).toContainText('same in yours and theirs');
    await expect(made.getByRole('table').first()).toContainText('loss');
    await expect(made).toContainText('loss 0.2');
    await expect(made).toContainText('loss 0.5');
    expect(await page.evaluate(() => (window as any).hacked)).toBeUndefined();
    await shot(page, '43-merge-outputs');
    await conflict.getByRole('button', { name: 'Base', exact: true }).click();
    await expect(conflict).toContainText('rate = 0.1');
    await conflict.getByRole('button', { name: 'Keep theirs' }).click();
    await expect(view(page)).toContainText('No open conflicts');
    await conflict.getByRole('button', { name: 'Undo' }).click();
    await expect(view(page)).toContainText('1 open conflict in 1 file');
    await shot(page, '43-merge-notebook');
    await page.theme.setDarkTheme();
    await shot(page, '44-merge-dark');
    expect(await seriousProblems(page, '.jp-DotscienceMerge')).toEqual([]);
    await page.setViewportSize({ width: 700, height: 900 });
    await shot(page, '45-merge-narrow');
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.theme.setLightTheme();
    await conflict.getByRole('button', { name: 'Keep both' }).click();
    await expect(view(page)).toContainText('No open conflicts');
  });

  await test.step('the result is a commit with two parents, and is shown', async () => {
    await view(page)
      .getByRole('textbox', { name: 'Description of the commit' })
      .fill('both of us');
    await view(page).getByRole('button', { name: 'Finish' }).click();
    await expect(view(page)).toContainText('No merge is under way', {
      timeout: 30000
    });
    const { items } = await callApi(page, 'GET', 'v1/commits', {
      path: folder
    });
    expect(items[0].message).toBe('both of us');
    expect(items[0].parents).toHaveLength(2);
    expect(items[0].parents).toContain(theirs);
    expect(read(folder, 'theirs.txt')).toBe('new of theirs\n');
    expect(read(folder, 'notes.txt')).toBe('one\ntwo\n');
    expect(fs.readFileSync(path.join(FILES, folder, 'weights.bin'))).toEqual(
      weights(3)
    );
    const script = read(folder, 'prepare.py');
    expect(script).toContain('SIZE = 23');
    expect(script).toContain('run()');
    expect(script).toContain('# mine');
    const written = JSON.parse(read(folder, 'train.ipynb'));
    const sources = written.cells.map((cell: any) =>
      [cell.source].flat().join('')
    );
    expect(sources.join('\n')).toContain('rate = 0.2');
    expect(sources.join('\n')).toContain('rate = 0.5');
    expect(sources.join('\n')).toContain('report(data)');
    // each of both cells keeps what it made
    expect(
      written.cells.flatMap((cell: any) =>
        (cell.outputs ?? []).flatMap((output: any) => output.text ?? [])
      )
    ).toEqual(['loading\n', 'loss 0.2\n', 'loading\n', 'loss 0.5\n']);
    await page.getByRole('tab', { name: 'prepare.py' }).first().click();
    await expect(
      page.locator('.jp-FileEditor:visible .cm-content')
    ).toContainText('SIZE = 23');
  });
});

test('a merge that is given up leaves the workspace as it was', async ({
  page
}) => {
  const { folder, theirs } = parted('merge-abort');
  await open(page, `${folder}/notes.txt`);
  const before = ['train.ipynb', 'prepare.py', 'notes.txt'].map(file =>
    read(folder, file)
  );
  await execute(page, 'dotscience:open-merge', { theirs });
  await view(page)
    .getByRole('button', { name: /train\.ipynb/ })
    .click();
  await view(page).getByRole('button', { name: 'Keep yours' }).click();
  await expect(view(page)).toContainText('2 open conflicts in 2 files');
  await view(page)
    .getByRole('button', { name: /^Abort/ })
    .click();
  await dialog(page).getByRole('button', { name: 'Give Up' }).click();
  await expect(view(page)).toContainText('No merge is under way');
  expect(
    ['train.ipynb', 'prepare.py', 'notes.txt'].map(file => read(folder, file))
  ).toEqual(before);
  expect(fs.existsSync(path.join(FILES, folder, 'theirs.txt'))).toBe(false);
});
