// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/**
 * The explorer: a table of runs, charts of them, and links to them.
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
  runAll,
  seriousProblems,
  shot,
  test,
  writeNotebook,
  writeRuns
} from './helpers';

const RUNS = [
  'import dotscience as ds',
  [
    'for n in range(3):',
    '    with ds.run(f"try {n}"):',
    '        ds.parameter("depth", n)',
    '        for step in range(30):',
    '            ds.metric("loss", 1 / (step + 1) + n, step=step)',
    '        ds.metric("accuracy", 0.7 + n / 10)',
    'with ds.run("<img src=x onerror=\\"window.hacked=1\\">"):',
    '    ds.parameter("note", "<img src=x onerror=\\"window.hacked=1\\">")',
    '    ds.metric("<img src=x onerror=\\"window.hacked=1\\">", 1.0)'
  ].join('\n')
];

/**
 * How long it may take until charts of a hundred thousand runs are seen, or two of them compared,
 * in ms: a second or two on a quiet machine, but other tests may run beside.
 */
const MANY_IN_SIGHT = 15000;

/** How many colours a canvas holds. */
function coloursOf(node: Element): number {
  const canvas = node as HTMLCanvasElement;
  const { data } = canvas
    .getContext('2d')!
    .getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(data.buffer)).size;
}

function explorer(page: Page): Locator {
  return page.locator('.jp-DotscienceExplorer:visible');
}

function table(page: Page): Locator {
  return explorer(page).getByRole('grid', { name: 'Runs' });
}

function filter(page: Page): Locator {
  return explorer(page).getByRole('combobox', { name: /filter runs/i });
}

function chart(page: Page, name: string | RegExp): Locator {
  return explorer(page).getByRole('figure', { name });
}

async function openExplorer(
  page: Page,
  args: Record<string, unknown> = {}
): Promise<void> {
  await execute(page, 'dotscience:open-explorer', args);
  await expect(explorer(page)).toBeVisible();
}

test('a thousand runs as a table and charts', async ({ page }) => {
  const folder = emptyProject('explore');
  writeRuns(folder, 1000, 'wide');
  fs.writeFileSync(path.join(FILES, folder, 'notes.txt'), 'x\n');
  await open(page, `${folder}/notes.txt`);

  await test.step('the table shows all runs', async () => {
    await openExplorer(page, { workspace: folder });
    await expect(explorer(page)).toContainText('1,000 runs');
    await expect(table(page)).toHaveAttribute('aria-rowcount', '1001');
    await expect(table(page).getByRole('row').nth(1)).toContainText('run 999');
    await shot(page, '50-explorer');
  });

  await test.step('headers sort, move and change their width', async () => {
    const box = (await table(page).boundingBox())!;
    const headers = () =>
      table(page).getByRole('columnheader').allTextContents();
    // Left of accuracy: description, started, status, duration and file.
    const left = 240 + 180 + 110 + 110 + 140;
    await page.mouse.click(box.x + left + 50, box.y + 15);
    await expect(
      table(page).getByRole('columnheader', { name: 'accuracy' })
    ).toHaveAttribute('aria-sort', 'descending');
    await expect(table(page).getByRole('row').nth(1)).toContainText('(best)');
    await page.mouse.move(box.x + left + 50, box.y + 15);
    await page.mouse.down();
    await page.mouse.move(box.x + 400, box.y + 15, { steps: 5 });
    await page.mouse.move(box.x + 250, box.y + 15, { steps: 5 });
    await shot(page, '49-explorer-drag');
    await page.mouse.up();
    await expect.poll(headers).toContain('accuracy');
    await expect
      .poll(async () => (await headers()).slice(0, 3))
      .toEqual(['Description', 'accuracy', 'Started']);
    await page.mouse.move(box.x + 240 - 2, box.y + 15);
    await page.mouse.down();
    await page.mouse.move(box.x + 300, box.y + 15, { steps: 5 });
    await page.mouse.up();
    expect(
      await page.evaluate(
        () =>
          (window as any).jupyterapp.shell.currentWidget.content.model.state
            .widths
      )
    ).toEqual({ description: 302 });
    await page.mouse.dblclick(box.x + 300, box.y + 15);
    await expect
      .poll(() =>
        page.evaluate(
          () =>
            (window as any).jupyterapp.shell.currentWidget.content.model.state
              .widths.description
        )
      )
      .toBeLessThan(200);
    await page.mouse.click(box.x + 100, box.y + 60, { button: 'right' });
    await expect(page.getByText('Copy Link to Run')).toBeVisible();
    await page.keyboard.press('Escape');
    await expect(explorer(page)).toContainText('1 selected');
  });

  await test.step('the filter says how it goes on, and what is wrong', async () => {
    await filter(page).click();
    await filter(page).pressSequentially('metrics.f');
    const option = explorer(page).getByRole('option', { name: /f1/ }).first();
    await expect(option).toBeVisible();
    await shot(page, '51-explorer-completion');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await expect(filter(page)).toHaveValue(/^metrics\.f1/);
    await filter(page).fill('metrics.f1 >> 2');
    await expect(explorer(page).getByRole('alert')).toBeVisible();
    await shot(page, '52-explorer-problem');
    await filter(page).fill('metrics.f1 > 0.8 and parameters.model = "svm"');
    await filter(page).press('Enter');
    await expect(explorer(page).getByRole('alert')).toHaveCount(0);
    await expect(table(page)).not.toHaveAttribute('aria-rowcount', '1001');
    await filter(page).fill('');
    await filter(page).press('Enter');
    await expect(table(page)).toHaveAttribute('aria-rowcount', '1001');
  });

  await test.step('keys sort by the list of columns and select', async () => {
    await explorer(page).getByRole('button', { name: 'Columns' }).click();
    await explorer(page)
      .getByRole('button', { name: 'Sort by f1', exact: true })
      .click();
    await expect(
      table(page).getByRole('columnheader', { name: 'f1' })
    ).toHaveAttribute('aria-sort', 'descending');
    await expect(table(page).getByRole('row').nth(1)).toContainText('(best)');
    await shot(page, '53-explorer-columns');
    await explorer(page).getByRole('button', { name: 'Columns' }).click();
    await table(page).focus();
    await page.keyboard.press('Home');
    await page.keyboard.press('Shift+ArrowDown');
    await expect(explorer(page)).toContainText('2 selected');
    const active = await table(page).getAttribute('aria-activedescendant');
    await expect(page.locator(`[id="${active}"]`)).toHaveAttribute(
      'aria-selected',
      'true'
    );
  });

  await test.step('headers by keyboard', async () => {
    const header = async () => {
      const id = await table(page).getAttribute('aria-activedescendant');
      return page.locator(`[id="${id}"]`);
    };
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowUp');
    await expect(await header()).toHaveText('Description');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    await expect(await header()).toHaveText('Started');
    await page.keyboard.press('Shift+ArrowRight');
    await expect(
      explorer(page).locator('.jp-DotscienceGrid [role=status]')
    ).toContainText('190 pixels wide');
    await page.keyboard.press('Alt+ArrowDown');
    await expect(page.getByText('Fit Width to Content')).toBeVisible();
    await shot(page, '53-explorer-headers');
    await page.keyboard.press('Escape');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Home');
    await page.keyboard.press('Shift+ArrowDown');
    await expect(explorer(page)).toContainText('2 selected');
  });

  await test.step('charts follow the selection, and it follows them', async () => {
    await explorer(page).getByRole('button', { name: 'Charts' }).click();
    await expect(explorer(page).locator('figure')).toHaveCount(3);
    const scatter = chart(page, /against/).locator('canvas');
    await expect(scatter).toHaveAttribute('aria-label', /2 of them selected/);
    const box = (await scatter.boundingBox())!;
    await page.mouse.move(box.x + 80, box.y + 20);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width - 20, box.y + 80, { steps: 4 });
    await shot(page, '54-explorer-brush');
    await page.mouse.up();
    await expect(explorer(page)).not.toContainText('2 selected');
    await expect(explorer(page)).toContainText(/\d+ selected/);
  });

  await test.step('charts are saved as pictures', async () => {
    for (const kind of ['PNG', 'SVG']) {
      const saved = page.waitForEvent('download');
      await chart(page, /against/)
        .getByRole('button', { name: kind })
        .click();
      const file = await (await saved).path();
      const content = fs.readFileSync(file);
      expect(content.length).toBeGreaterThan(2000);
      expect(content.subarray(0, 4).toString('latin1')).toBe(
        kind === 'PNG' ? '\x89PNG' : '<svg'
      );
    }
    const saved = page.waitForEvent('download');
    await explorer(page).getByRole('button', { name: 'CSV' }).click();
    const rows = fs
      .readFileSync(await (await saved).path(), 'utf-8')
      .trim()
      .split('\n');
    expect(rows).toHaveLength(1001);
  });

  await test.step('series of selected runs, importance, colours', async () => {
    await filter(page).fill(
      "description in ('run 990', 'run 980', 'run 970', 'run 960', 'run 950')"
    );
    await filter(page).press('Enter');
    await expect(table(page)).toHaveAttribute('aria-rowcount', '6');
    await table(page).focus();
    await page.keyboard.press('Home');
    for (let n = 0; n < 4; n++) {
      await page.keyboard.press('Shift+ArrowDown');
    }
    await expect(explorer(page)).toContainText('5 selected');
    await filter(page).fill('');
    await filter(page).press('Enter');
    await chart(page, /while training/)
      .getByRole('slider')
      .fill('0.8');
    await expect(chart(page, /while training/).locator('.uplot')).toBeVisible();
    await chart(page, /against/)
      .getByLabel('Colour', { exact: true })
      .selectOption('model');
    await chart(page, /against/)
      .getByLabel('X', { exact: true })
      .selectOption('learning_rate');
    await chart(page, /against/)
      .getByLabel('Y', { exact: true })
      .selectOption('f1');
    await chart(page, /against/)
      .getByRole('button', { name: 'Log X' })
      .click();
    await explorer(page)
      .getByLabel('Add a chart', { exact: true })
      .selectOption('Importance of parameters');
    await expect(chart(page, /Importance/)).toContainText('Spearman');
    await page.waitForTimeout(500);
    await shot(page, '55-explorer-charts');
    await page
      .locator('.jp-DotscienceExplorer-charts')
      .evaluate(node => node.scrollTo(0, 1000));
    await page.waitForTimeout(300);
    await shot(page, '56-explorer-charts-below');
  });

  await test.step('everything is there after a reload', async () => {
    await page.waitForTimeout(2500);
    await page.reload();
    await page.waitForFunction(() => Boolean((window as any).jupyterapp));
    await page.evaluate(() => (window as any).jupyterapp.restored);
    await expect(explorer(page)).toBeVisible();
    await expect(explorer(page)).toContainText('5 selected');
    await expect(explorer(page).locator('figure')).toHaveCount(4);
    await expect(
      table(page).getByRole('columnheader', { name: 'f1' })
    ).toHaveAttribute('aria-sort', 'descending');
  });

  await test.step('readable in the dark', async () => {
    await page.theme.setTheme('JupyterLab Dark');
    await page.waitForTimeout(1000);
    await shot(page, '57-explorer-dark');
    expect(await seriousProblems(page, '.jp-DotscienceExplorer')).toEqual([]);
    await page.theme.setTheme('JupyterLab Light');
    await page.waitForTimeout(500);
    expect(await seriousProblems(page, '.jp-DotscienceExplorer')).toEqual([]);
  });

  await test.step('narrow: charts give way to the table', async () => {
    await page.setViewportSize({ width: 800, height: 700 });
    await page.waitForTimeout(500);
    await expect(explorer(page).locator('figure')).toHaveCount(0);
    await shot(page, '58-explorer-narrow');
    await explorer(page).getByRole('button', { name: 'Charts' }).click();
    await expect(explorer(page).locator('figure').first()).toBeVisible();
    await page.waitForTimeout(500);
    await shot(page, '59-explorer-narrow-charts');
  });
});

test('a hundred thousand runs: sorted, filtered, scrolled to the end', async ({
  page
}) => {
  notInCI();
  const folder = emptyProject('explore-many');
  writeRuns(folder, 2000, 'wide', 49);
  fs.writeFileSync(path.join(FILES, folder, 'notes.txt'), 'x\n');
  await open(page, `${folder}/notes.txt`);
  await openExplorer(page, { workspace: folder });
  await expect(explorer(page)).toContainText('100,000 runs', {
    timeout: 60000
  });
  const first = table(page).getByRole('row').nth(1);
  await expect(first).toContainText('run 1999');

  const values = (key: string): Promise<number[]> =>
    page.evaluate(name => {
      const { model } = (window as any).jupyterapp.shell.currentWidget.content;
      return [0, 1, 2, 3, 4].map(
        index => model.rows.row(index)?.values[name] ?? -1
      );
    }, key);
  await explorer(page).getByRole('button', { name: 'Columns' }).waitFor();
  const box = (await table(page).boundingBox())!;
  // left of accuracy: description, started, status, duration and file
  await page.mouse.click(box.x + 240 + 180 + 110 + 110 + 140 + 50, box.y + 15);
  await expect(first).toContainText('(best)');
  const best = await values('metrics.accuracy');
  expect(best).toEqual([...best].sort((a, b) => b - a));
  expect(best[0]).toBeGreaterThan(0.99);

  await filter(page).fill(
    "parameters.model = 'svm' and metrics.accuracy > 0.7"
  );
  await filter(page).press('Enter');
  await expect(explorer(page)).not.toContainText('100,000 runs');
  await expect(first).toContainText('(best)');
  expect((await values('metrics.accuracy'))[0]).toBeLessThanOrEqual(best[0]);
  await filter(page).fill('');
  await filter(page).press('Enter');
  await expect(explorer(page)).toContainText('100,000 runs');

  // the wheel, for a while: every row that comes to rest is read and drawn
  await page.mouse.move(box.x + 300, box.y + 200);
  for (let n = 0; n < 20; n++) {
    await page.mouse.wheel(0, 900);
  }
  await expect
    .poll(() =>
      page.evaluate(() => {
        const { content } = (window as any).jupyterapp.shell.currentWidget;
        const { firstRow, lastRow } = content._grid.currentViewport;
        const read = content.model.rows;
        return firstRow > 500 && read.row(firstRow) && read.row(lastRow)
          ? 'there'
          : `${firstRow}`;
      })
    )
    .toBe('there');
  await table(page).press('Control+End');
  await expect(table(page).getByRole('row').last()).toHaveAttribute(
    'aria-rowindex',
    '100001'
  );
  await expect(table(page).getByRole('row').last()).toContainText('0.4');
  await shot(page, '60-explorer-many');

  await test.step('charts of evenly chosen runs are there in seconds', async () => {
    const begun = Date.now();
    await explorer(page).getByRole('button', { name: 'Charts' }).click();
    const scatter = chart(page, /against/);
    await expect(scatter.locator('canvas')).toHaveAttribute(
      'aria-label',
      /of 5000 runs/
    );
    await expect
      .poll(() => scatter.locator('canvas').evaluate(coloursOf))
      .toBeGreaterThan(2);
    await expect(chart(page, 'Parallel coordinates')).toBeVisible();
    expect(Date.now() - begun).toBeLessThan(MANY_IN_SIGHT);
    await expect(scatter).toContainText('of 100,000');
    await shot(page, '60-explorer-many-charts');
  });

  await test.step('series of copies of a run are overlaid', async () => {
    await filter(page).fill("description in ('run 990', 'run 980')");
    await filter(page).press('Enter');
    await expect(table(page)).toHaveAttribute('aria-rowcount', '101');
    await table(page).focus();
    await page.keyboard.press('Home');
    for (let n = 0; n < 4; n++) {
      await page.keyboard.press('Shift+ArrowDown');
    }
    await expect(explorer(page)).toContainText('5 selected');
    const series = chart(page, /while training/);
    await expect(series.locator('.uplot')).toBeVisible();
    await expect(
      series.getByRole('list', { name: 'Runs of the chart' }).locator('li')
    ).toHaveCount(5);
  });

  await test.step('two of them are compared', async () => {
    // copies of one run come first, those of the other one last
    await page.keyboard.press('Home');
    await page.keyboard.press('Control+End');
    await page.keyboard.press('Space');
    await expect(explorer(page)).toContainText('2 selected');
    await filter(page).fill('');
    await filter(page).press('Enter');
    await expect(explorer(page)).toContainText('100,000 runs');
    const begun = Date.now();
    await explorer(page).getByRole('button', { name: 'Compare' }).click();
    const compared = page.locator('.jp-DotscienceCompare:visible');
    await expect(compared).toContainText('learning_rate');
    await expect(compared).toContainText('Both runs belong to commit');
    expect(Date.now() - begun).toBeLessThan(MANY_IN_SIGHT);
    await shot(page, '60-explorer-many-compared');
  });
});

test('real runs: from the panel, by link, nothing of theirs is executed', async ({
  page
}) => {
  const folder = emptyProject('explore-real');
  writeNotebook(folder, 'tries.ipynb', RUNS);
  await open(page, `${folder}/tries.ipynb`);
  await openPanel(page);
  await runAll(page);
  await expect(panel(page)).toContainText(/4 runs/, { timeout: 60000 });
  await panel(page).getByRole('button', { name: 'Show in explorer' }).click();
  await expect(table(page)).toHaveAttribute('aria-rowcount', '5');
  await expect(table(page)).toContainText('<img src=x');

  await test.step('runs are compared and opened', async () => {
    await table(page).focus();
    await page.keyboard.press('Home');
    await page.keyboard.press('Shift+ArrowDown');
    await explorer(page).getByRole('button', { name: 'Compare' }).click();
    await expect(page.locator('.jp-DotscienceCompare:visible')).toBeVisible();
    await openExplorer(page);
    await table(page).focus();
    await page.keyboard.press('End');
    await page.keyboard.press('Enter');
    await expect(page.locator('.jp-DotscienceRun:visible')).toContainText(
      'try 0'
    );
    await openExplorer(page);
  });

  await test.step('text stays text in charts and their tables', async () => {
    await explorer(page).getByRole('button', { name: 'Charts' }).click();
    await expect(explorer(page).locator('figure')).toHaveCount(3);
    for (const button of await explorer(page)
      .getByRole('button', { name: 'Table' })
      .all()) {
      await button.click();
    }
    expect(await page.evaluate(() => (window as any).hacked)).toBeUndefined();
    expect(await explorer(page).locator('img').count()).toBe(0);
    await shot(page, '60-explorer-text');
  });

  await test.step('a link opens the run and goes away', async () => {
    const run = await page.evaluate(
      async () =>
        (window as any).jupyterapp.shell.currentWidget.content.model.selection
          .active
    );
    const address = new URL(page.url());
    address.searchParams.set('dotscience-run', run);
    address.searchParams.set('dotscience-workspace', folder);
    await page.goto(address.href);
    await expect(page.locator('.jp-DotscienceRun:visible')).toContainText(
      'try 0'
    );
    expect(page.url()).not.toContain('dotscience-');

    address.search = '';
    address.searchParams.set('dotscience-view', 'explorer');
    address.searchParams.set('dotscience-workspace', folder);
    address.searchParams.set('dotscience-where', 'metrics.accuracy > 0.75');
    address.searchParams.set(
      'dotscience-state',
      JSON.stringify({ search: 'try', chartsOpen: true })
    );
    await page.goto(address.href);
    await expect(explorer(page)).toBeVisible();
    await expect(
      explorer(page).getByRole('searchbox', { name: 'Search runs' })
    ).toHaveValue('try');
    await expect(
      explorer(page).getByRole('button', { name: 'Charts' })
    ).toHaveAttribute('aria-pressed', 'true');
    await expect(filter(page)).toHaveValue('metrics.accuracy > 0.75');
    await expect(table(page)).toHaveAttribute('aria-rowcount', '3');
    expect(page.url()).not.toContain('dotscience-');
  });
});

test('runs under way: seen while they go, and marked when they are lost', async ({
  page
}) => {
  const folder = emptyProject('explore-live');
  writeNotebook(folder, 'slow.ipynb', [
    [
      'import dotscience as ds, time',
      'with ds.run("a slow one"):',
      '    for step in range(30):',
      '        ds.metric("loss", 1 / (step + 1), step=step)',
      '        time.sleep(0.5)'
    ].join('\n')
  ]);
  writeNotebook(folder, 'lost.ipynb', [
    [
      'import dotscience as ds, os, time',
      'ds.start("a lost one")',
      'for step in range(3):',
      '    ds.metric("loss", 1 / (step + 1), step=step)',
      '    time.sleep(1)',
      'os.kill(os.getpid(), 9)'
    ].join('\n')
  ]);
  const strip = explorer(page).getByRole('region', { name: 'Runs under way' });

  await test.step('a run is seen while it goes', async () => {
    await open(page, `${folder}/slow.ipynb`);
    await execute(page, 'dotscience:start-tracking', { path: folder });
    const ended = runAll(page);
    await page.waitForTimeout(3000);
    await openExplorer(page, { workspace: folder });
    await expect(strip).toContainText('a slow one', { timeout: 15000 });
    await expect(strip).toContainText('running');
    await expect(strip.locator('svg path')).toBeVisible({ timeout: 10000 });
    await shot(page, '61-explorer-live');
    await ended;
    await expect(strip).toHaveCount(0, { timeout: 20000 });
    await expect(table(page)).toHaveAttribute('aria-rowcount', '2');
  });

  await test.step('one whose process is gone is recorded as failed', async () => {
    await open(page, `${folder}/lost.ipynb`);
    await runAll(page);
    const died = page
      .getByRole('dialog')
      .filter({ hasText: 'Kernel Restarting' });
    await died.getByRole('button', { name: 'Ok' }).click({ timeout: 30000 });
    await openExplorer(page, { workspace: folder });
    await expect(strip).toContainText('gone', { timeout: 30000 });
    await shot(page, '62-explorer-gone');
    await strip.getByRole('button', { name: /abandoned/i }).click();
    await page
      .getByRole('dialog')
      .getByRole('button', { name: /abandoned/i })
      .click();
    await expect(strip).toHaveCount(0, { timeout: 20000 });
    await expect(table(page)).toHaveAttribute('aria-rowcount', '3');
    await expect(table(page)).toContainText('a lost one');
    await expect(table(page)).toContainText('failed');
  });
});
