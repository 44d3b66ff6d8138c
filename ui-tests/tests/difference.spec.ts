// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/**
 * How two moments differ: notebooks with images, text, tables, as it is now and as it was.
 */

import type { Locator, Page } from '@playwright/test';
import * as fs from 'fs';
import * as path from 'path';

import {
  emptyProject,
  execute,
  expect,
  FILES,
  notInCI,
  open,
  openPanel,
  panel,
  seriousProblems,
  shot,
  test
} from './helpers';
import { callApi, image, writeCells } from './history';

const view = (page: Page): Locator =>
  page.locator('.jp-DotscienceDifference:visible');

const content = (page: Page): Locator =>
  view(page).locator('.jp-DotscienceDifference-content');

const LINES = Array.from({ length: 60 }, (_, n) => `line_${n} = ${n}`);

/** A workspace with a commit, changed since; returns its name. */
async function changed(page: Page, name: string): Promise<string> {
  const folder = emptyProject(name);
  const file = (where: string) => path.join(FILES, folder, where);
  fs.mkdirSync(file('data'), { recursive: true });
  fs.writeFileSync(file('train.py'), LINES.join('\n') + '\n');
  fs.writeFileSync(file('data/raw.csv'), 'id,city\n1,Rome\n2,Oslo\n3,Lima\n');
  fs.writeFileSync(file('figure.png'), image(120, 80, [200, 40, 40]));
  fs.writeFileSync(file('model.bin'), Buffer.alloc(3000));
  writeCells(folder, 'plot.ipynb', [
    { source: '# A plot\n\nOf nothing at all.', type: 'markdown' },
    ...Array.from({ length: 5 }, (_, n) => ({ source: `same = ${n}` })),
    {
      source: 'import matplotlib\nplot(colour="red", size=3)',
      outputs: [picture(image(240, 160, [220, 40, 40], true))]
    },
    { source: 'print("before")', outputs: [stream('before\nsame\n')] }
  ]);
  await callApi(page, 'POST', 'v1/workspace', {}, { path: folder });
  await callApi(
    page,
    'POST',
    'v1/commits',
    { path: folder },
    { description: 'the first of all' }
  );
  const now = [...LINES];
  now[30] = 'line_30 = "thirty"';
  now.splice(50, 1);
  fs.writeFileSync(file('train.py'), now.join('\n') + '\n');
  fs.writeFileSync(
    file('data/raw.csv'),
    'id,city\n1,Rome\n2,Bergen\n3,Lima\n4,Kyiv\n'
  );
  fs.writeFileSync(file('figure.png'), image(120, 80, [40, 40, 200]));
  fs.writeFileSync(file('model.bin'), Buffer.alloc(3500));
  fs.writeFileSync(file('<b>new.txt'), '<script>alert(1)</script>\n');
  writeCells(folder, 'plot.ipynb', [
    { source: '# A plot\n\nOf nothing at all.', type: 'markdown' },
    ...Array.from({ length: 5 }, (_, n) => ({ source: `same = ${n}` })),
    {
      source: 'import matplotlib\nplot(colour="blue", size=3)',
      outputs: [picture(image(240, 160, [40, 40, 220], true))]
    },
    { source: 'print("after")', outputs: [stream('after\nsame\n')] },
    {
      source: 'evil()',
      outputs: [
        {
          output_type: 'display_data',
          metadata: {},
          data: {
            'text/html':
              '<b>bold</b><img src=x onerror="window.pwned=1"><script>window.pwned=1</script>'
          }
        }
      ]
    }
  ]);
  return folder;
}

function picture(png: Buffer) {
  return {
    output_type: 'display_data',
    metadata: {},
    data: {
      'image/png': png.toString('base64'),
      'text/plain': '<Figure size 240x160>'
    }
  };
}

function stream(text: string) {
  return { output_type: 'stream', name: 'stdout', text };
}

test('what changed since the newest commit', async ({ page }) => {
  await page.goto();
  const folder = await changed(page, 'difference');
  await open(page, `${folder}/train.py`);
  await openPanel(page);
  await panel(page).getByRole('button', { name: 'Changes' }).click();
  const files = view(page).getByRole('tree', { name: 'Files that differ' });

  await test.step('the files are listed with what happened to them', async () => {
    await expect(files.getByRole('treeitem')).toHaveCount(7);
    await expect(view(page)).toContainText('1 added, 5 modified, 0 removed');
    await expect(files.getByText('<b>new.txt')).toBeVisible();
  });

  await test.step('a table is compared row by row', async () => {
    await files.getByText('raw.csv').click();
    await expect(
      content(page).getByRole('row', { name: /Bergen/ })
    ).toContainText('Oslo');
    await expect(
      content(page).getByRole('row', { name: /Kyiv/ })
    ).toContainText('added');
    await shot(page, '30-difference-table');
  });

  await test.step('text is compared line by line, and unfolds', async () => {
    await files.getByText('train.py').click();
    await expect(content(page).locator('mark').first()).toBeVisible();
    await expect(content(page)).not.toContainText('line_5 = 5');
    await shot(page, '31-difference-text');
    await content(page)
      .getByRole('button', { name: /unchanged lines/ })
      .first()
      .click();
    await expect(content(page)).toContainText('line_5 = 5');
    await expect(content(page)).not.toContainText('line_59 = 59');
    await view(page).getByRole('button', { name: 'Side by side' }).click();
    await expect(
      content(page).locator('tr', { hasText: 'thirty' })
    ).toHaveCount(1);
    await shot(page, '32-difference-unified');
    await view(page).getByRole('button', { name: 'Side by side' }).click();
  });

  await test.step('a notebook shows only what differs, images too', async () => {
    await files.getByText('plot.ipynb').click();
    await expect(content(page).locator('.jp-DotscienceCell')).toHaveCount(3);
    await expect(content(page).locator('img.jp-DotscienceImage')).toHaveCount(
      2
    );
    const shown = await content(page)
      .locator('img.jp-DotscienceImage')
      .evaluateAll(images =>
        images.map(one => (one as HTMLImageElement).naturalWidth)
      );
    expect(shown).toEqual([240, 240]);
    // words have the colours of JupyterLab's editors, although none is open
    await expect
      .poll(() =>
        content(page)
          .locator('.jp-DotscienceRows-code span')
          .evaluateAll(
            words =>
              new Set(words.map(word => getComputedStyle(word).color)).size
          )
      )
      .toBeGreaterThan(1);
    await shot(page, '33-difference-notebook');
    await content(page)
      .getByRole('button', { name: /6 unchanged cells/ })
      .click();
    await expect(content(page)).toContainText('same = 4');
  });

  await test.step('nothing of an output is executed', async () => {
    await expect(content(page).locator('b', { hasText: 'bold' })).toBeVisible();
    expect(await page.evaluate(() => (window as any).pwned)).toBeUndefined();
    await expect(content(page).locator('script')).toHaveCount(0);
  });

  await test.step('outputs are left out where they are not wanted', async () => {
    await view(page)
      .getByRole('button', { name: 'Outputs', exact: true })
      .click();
    await expect(content(page).locator('img.jp-DotscienceImage')).toHaveCount(
      0
    );
    await view(page)
      .getByRole('button', { name: 'Outputs', exact: true })
      .click();
    await expect(content(page).locator('img.jp-DotscienceImage')).toHaveCount(
      2
    );
  });

  await test.step('keys go from change to change', async () => {
    await content(page).focus();
    await page.keyboard.press('n');
    await page.keyboard.press('n');
    await expect(
      content(page).getByRole('group', { name: /^Cell 8/ })
    ).toBeFocused();
    await page.keyboard.press('p');
    await expect(
      content(page).getByRole('group', { name: /^Cell 7/ })
    ).toBeFocused();
  });

  await test.step('images and other files', async () => {
    await files.getByText('figure.png').click();
    await expect(content(page).locator('img.jp-DotscienceImage')).toHaveCount(
      2
    );
    await shot(page, '34-difference-image');
    await content(page)
      .getByRole('checkbox', { name: /over each other/ })
      .check();
    await expect(content(page).getByRole('slider')).toBeVisible();
    await files.getByText('model.bin').click();
    await expect(content(page)).toContainText('3.5 kB');
    await files.getByText('<b>new.txt').click();
    await expect(content(page)).toContainText('<script>alert(1)</script>');
  });

  await test.step('nothing serious for who cannot see or use a mouse', async () => {
    await files.getByText('plot.ipynb').click();
    await expect(content(page).locator('img.jp-DotscienceImage')).toHaveCount(
      2
    );
    expect(await seriousProblems(page, '.jp-DotscienceDifference')).toEqual([]);
  });

  await test.step('it is dark at night, and fits a narrow window', async () => {
    await page.theme.setDarkTheme();
    await shot(page, '35-difference-dark');
    expect(await seriousProblems(page, '.jp-DotscienceDifference')).toEqual([]);
    await page.setViewportSize({ width: 700, height: 900 });
    await shot(page, '36-difference-narrow');
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.theme.setLightTheme();
  });

  await test.step('what is saved shows at once, where one was reading', async () => {
    await files.getByText('train.py').click();
    await expect(content(page)).toContainText('thirty');
    await content(page).evaluate(node => (node.scrollTop = 200));
    const before = await content(page).evaluate(node => node.scrollTop);
    const text = fs.readFileSync(path.join(FILES, folder, 'train.py'), 'utf-8');
    await page.evaluate(
      async ([where, content]) => {
        const { contents } = (window as any).jupyterapp.serviceManager;
        await contents.save(where, { type: 'file', format: 'text', content });
      },
      [`${folder}/train.py`, text.replace('"thirty"', '"three tens"')] as const
    );
    await expect(content(page)).toContainText('three tens');
    expect(await content(page).evaluate(node => node.scrollTop)).toBe(before);
  });

  await test.step('it is there again after a reload', async () => {
    await page.reload();
    await expect(view(page)).toContainText('three tens', { timeout: 30000 });
  });

  await test.step('without differences it says so', async () => {
    // after the reload the workspace is at hand a little later
    await expect(panel(page)).toContainText('6 changed files');
    await execute(page, 'dotscience:commit', { description: 'all of it' });
    await expect(view(page)).toContainText('No differences', {
      timeout: 20000
    });
  });
});

test('a link opens the file between two commits', async ({ page }) => {
  notInCI();
  await page.goto();
  const folder = await changed(page, 'difference-link');
  await callApi(
    page,
    'POST',
    'v1/commits',
    { path: folder },
    {
      description: 'second'
    }
  );
  await page.goto(
    `tree/${folder}?dotscience-view=difference&dotscience-old=HEAD~1&dotscience-new=HEAD&dotscience-file=plot.ipynb`
  );
  await expect(content(page).locator('img.jp-DotscienceImage')).toHaveCount(2, {
    timeout: 30000
  });
  await view(page).getByRole('button', { name: /Swap/ }).click();
  await expect(view(page).getByRole('group', { name: 'Before' })).toContainText(
    'second'
  );
});
