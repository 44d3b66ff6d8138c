// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { nullTranslator } from '@jupyterlab/translation';
import {
  act,
  fireEvent,
  render,
  screen,
  waitFor,
  within
} from '@testing-library/react';
import * as React from 'react';

import type { GraphNode } from '../api/schema';
import { Files } from '../run/files';
import { drawPicture, fileName } from '../provenance/export';
import { LineagesModel, LineagesView } from '../provenance/lineages';
import { ProvenanceClient } from '../provenance/client';
import { ProvenanceModel } from '../provenance/model';
import { Artefact } from '../provenance/nodes';
import { ProvenanceView } from '../provenance/view';
import { nodeSentence } from '../provenance/words';
import {
  aFileNode,
  aGraph,
  aPipeline,
  aRunNode,
  anEdge
} from './provenance-fixtures';
import type { Answers } from './run.fixtures';
import { COMMIT_A, COMMIT_B, json, makeClient, makeRun } from './run.fixtures';

// handles ask the drawing that they are in
jest.mock('@xyflow/react', () => ({
  ...jest.requireActual('@xyflow/react'),
  Handle: () => null
}));

const trans = nullTranslator.load('dotscience_jupyter');
const EVIL = '<img src=x onerror=alert(1)>';

async function show(
  answers: Answers,
  options: Partial<ProvenanceModel.IOptions> = {}
) {
  const { client, asked } = makeClient(answers);
  const model = new ProvenanceModel({
    client,
    workspace: 'w',
    view: 'list',
    ...options
  });
  await model.load();
  const actions = {
    openRun: jest.fn(),
    openFile: jest.fn(),
    openHistory: jest.fn(),
    compareLineages: jest.fn(),
    startTracking: jest.fn()
  };
  const element = () => (
    <ProvenanceView
      model={model}
      actions={actions}
      onExport={jest.fn()}
      onLink={jest.fn()}
      themeManager={null}
      trans={trans}
    />
  );
  const { rerender, container } = render(element());
  model.stateChanged.connect(() => {
    act(() => rerender(element()));
  });
  return { model, actions, asked, container };
}

function start(node: GraphNode, direction: 'up' | 'down' | 'both' = 'up') {
  return { start: node.id, direction };
}

describe('other workspaces', () => {
  it('are followed into when asked for, and say which they are', async () => {
    const { nodes, edges, model: start } = aPipeline();
    const lab = { id: 'abc-1', name: 'lab', path: 'all/lab', problem: null };
    const lost = {
      ...lab,
      id: 'abc-2',
      name: 'lost',
      problem: 'It is damaged.'
    };
    const made = aRunNode('made', 1, { workspace: lab.id });
    made.id = `${lab.id}|${made.id}`;
    let answer = aGraph(nodes, edges, { start: [start.id] });
    const { model, actions, asked } = await show(
      {
        'v1/provenance': () => json(answer),
        'v1/runs/made': makeRun({ id: 'made' })
      },
      { start: start.id, direction: 'up' }
    );
    expect(asked[0].query.has('across')).toBe(false);
    expect(screen.queryByText(/was not looked into/)).toBeNull();
    answer = {
      ...answer,
      start: [made.id],
      nodes: [made, ...nodes],
      workspaces: [lab, lost]
    };
    const button = screen.getByText('Other Workspaces');
    fireEvent.click(button);
    await screen.findByText(/The workspace lost was not looked into.*damaged/);
    expect(button.getAttribute('aria-pressed')).toBe('true');

    expect(screen.getByText('lab').closest('li')?.textContent).toContain(
      'made'
    );
    act(() => model.select(made.id, true));
    fireEvent.click(await screen.findByText('Open Run'));
    expect(actions.openRun).toHaveBeenCalledWith('made', 'all/lab');
    await waitFor(() =>
      expect(
        asked.find(({ path }) => path === 'v1/runs/made')?.query.get('path')
      ).toBe('all/lab')
    );
    expect(screen.queryByText(/Compare Lineage/)).toBeNull();

    // from one of theirs: nothing would be known of it without them
    await act(() => model.setQuery({ start: made.id }));
    fireEvent.click(button);
    await waitFor(() => expect(model.query.start).toBe(''));
    expect(asked[asked.length - 1].query.has('across')).toBe(false);
  });

  it('are no places to go to where the server does not serve them', async () => {
    const far = { id: 'abc-1', name: 'far', path: null, problem: null };
    const made = aRunNode('made', 1, { workspace: far.id });
    const { model, asked } = await show({
      'v1/provenance': aGraph([made], [], { workspaces: [far] })
    });
    act(() => model.select(made.id, true));
    expect(await screen.findByText('Workspace')).toBeTruthy();
    expect(screen.queryByText('Open Run')).toBeNull();
    expect(asked).toHaveLength(1);
  });
});

describe('the list', () => {
  it('unfolds along the edges, by keys', async () => {
    const { nodes, edges, model } = aPipeline();
    await show(
      { 'v1/provenance': aGraph(nodes, edges, { start: [model.id] }) },
      start(model)
    );
    const tree = screen.getByRole('tree', { name: 'What it was made from' });
    const items = () => within(tree).getAllByRole('treeitem');
    // the start is unfolded at once
    expect(items()).toHaveLength(2);
    items()[0].focus();
    fireEvent.keyDown(document.activeElement!, { key: 'ArrowDown' });
    fireEvent.keyDown(document.activeElement!, { key: 'ArrowRight' });
    expect(items()).toHaveLength(3);
    expect(items()[2].textContent).toContain('clean.csv');
    expect(items()[2].getAttribute('aria-level')).toBe('3');
    expect(items()[1].getAttribute('aria-expanded')).toBe('true');
    fireEvent.keyDown(document.activeElement!, { key: 'End' });
    expect(document.activeElement).toBe(items()[2]);
    fireEvent.keyDown(document.activeElement!, { key: 'ArrowLeft' });
    expect(document.activeElement).toBe(items()[1]);
    fireEvent.keyDown(document.activeElement!, { key: 'ArrowLeft' });
    expect(items()).toHaveLength(2);
  });

  it('asks for neighbours that were left out', async () => {
    const { train, cleaned } = aPipeline();
    let answer = aGraph([{ ...train, hidden_up: 1 }], [], {
      start: [train.id]
    });
    const { asked } = await show(
      { 'v1/provenance': () => json(answer) },
      start(train)
    );
    answer = aGraph([cleaned, train], [anEdge(cleaned, train)]);
    const item = screen.getByRole('treeitem');
    item.focus();
    // it is unfolded at once, and holds nothing yet
    fireEvent.keyDown(item, { key: 'ArrowLeft' });
    fireEvent.keyDown(item, { key: 'ArrowRight' });
    await waitFor(() =>
      expect(screen.getAllByRole('treeitem')).toHaveLength(2)
    );
    expect(Object.fromEntries(asked[1].query)).toMatchObject({
      start: train.id,
      direction: 'up',
      depth: '1'
    });
  });

  it('opens runs and files, and tells what they are', async () => {
    const { nodes, edges, model, train } = aPipeline();
    const { actions } = await show(
      {
        'v1/provenance': aGraph(nodes, edges, { start: [model.id] }),
        [`v1/runs/${train.run}`]: makeRun({ metrics: { accuracy: 0.5 } })
      },
      start(model)
    );
    const [file, run] = screen.getAllByRole('treeitem');
    fireEvent.click(within(run).getByText('Train'));
    fireEvent.doubleClick(within(run).getByText('Train'));
    expect(actions.openRun).toHaveBeenCalledWith('train-00', 'w');
    const sheet = await screen.findByRole('complementary', {
      name: 'About Train'
    });
    expect((await within(sheet).findByText('accuracy')).textContent).toBe(
      'accuracy'
    );
    fireEvent.click(within(file).getByText('model.joblib'));
    fireEvent.click(screen.getByRole('button', { name: 'Open as of Then' }));
    expect(actions.openFile).toHaveBeenCalledWith(
      model.commit,
      'model.joblib',
      'w'
    );
    fireEvent.click(screen.getByRole('button', { name: 'Show History' }));
    expect(actions.openHistory).toHaveBeenCalledWith('model.joblib', 'w');
    fireEvent.keyDown(
      screen.getByRole('complementary', { name: 'About model.joblib' }),
      { key: 'Escape' }
    );
    expect(screen.queryByRole('complementary')).toBeNull();
  });

  it('compares two lineages, the second of which is chosen next', async () => {
    const { nodes, edges, model, failed } = aPipeline();
    const { actions } = await show({
      'v1/provenance': aGraph(nodes, edges),
      [`v1/runs/${failed.run}`]: makeRun()
    });
    const [again] = screen.getAllByText('Train again');
    fireEvent.click(again);
    fireEvent.click(
      screen.getByRole('button', { name: 'Compare Lineage with…' })
    );
    expect(
      screen.getByText(/to compare the lineage of Train again/)
    ).toBeTruthy();
    fireEvent.change(screen.getByRole('searchbox'), {
      target: { value: 'model.joblib' }
    });
    fireEvent.click(screen.getAllByText('model.joblib')[0]);
    expect(actions.compareLineages).toHaveBeenCalledWith(failed.id, model.id);
    expect(screen.queryByText(/to compare the lineage/)).toBeNull();
  });

  it('finds', async () => {
    const { nodes, edges } = aPipeline();
    await show({ 'v1/provenance': aGraph(nodes, edges) });
    fireEvent.change(screen.getByRole('searchbox'), {
      target: { value: 'train' }
    });
    expect(screen.getByText('1 of 2')).toBeTruthy();
    fireEvent.change(screen.getByRole('searchbox'), {
      target: { value: 'nobody' }
    });
    expect(screen.getByText('nothing found')).toBeTruthy();
    expect(screen.queryAllByRole('treeitem')).toHaveLength(0);
  });
});

describe('what is wrong', () => {
  it('a folder that is not tracked', async () => {
    const { actions } = await show({
      'v1/provenance': () =>
        json({ code: 'no_workspace', message: 'not tracked' }, 404)
    });
    fireEvent.click(screen.getByRole('button', { name: 'Start Tracking' }));
    expect(actions.startTracking).toHaveBeenCalled();
  });

  it('a file that nobody knows', async () => {
    await show({
      'v1/provenance': () =>
        json({ code: 'not_found', message: 'No run touched a.csv.' }, 404)
    });
    expect(screen.getByRole('alert').textContent).toContain(
      'No run touched a.csv.'
    );
  });

  it('a file that no run touched, and a workspace without runs', async () => {
    await show(
      { 'v1/provenance': aGraph([aFileNode('a.csv', 1)], []) },
      { start: 'file:a.csv' }
    );
    expect(screen.getByText(/No run read or wrote this version/)).toBeTruthy();
    await show({ 'v1/provenance': aGraph([], []) });
    expect(screen.getByText(/has no runs yet/)).toBeTruthy();
  });
});

describe('the model', () => {
  it('adds what is new without a new graph, and keeps to its start', async () => {
    const { nodes, edges, cleaned, train, model } = aPipeline();
    let answer = aGraph(nodes.slice(0, 3), edges.slice(0, 2), {
      start: [cleaned.id]
    });
    const { client, asked } = makeClient({
      'v1/provenance': () => json(answer)
    });
    const shown = new ProvenanceModel({
      client,
      workspace: 'w',
      start: 'file:data/clean.csv'
    });
    await shown.load();
    const places = new Map(
      [...shown.arrangement.nodes].map(([id, { place }]) => [id, place])
    );
    answer = aGraph(nodes, edges, { start: [cleaned.id] });
    const { generation } = shown;
    await shown.refresh();
    expect(shown.generation).toBe(generation);
    expect(asked[1].query.get('start')).toBe(cleaned.id);
    expect(shown.arrangement.nodes.has(model.id)).toBe(true);
    for (const [id, place] of places) {
      expect(shown.arrangement.nodes.get(id)?.place).toEqual(place);
    }
    expect(shown.programOf(model.id)).toBe('train.ipynb');
    expect(shown.colourOf('train.ipynb')).not.toBe(
      shown.colourOf('clean.ipynb')
    );
    expect(shown.programOf(train.id)).toBe('train.ipynb');
    shown.dispose();
  });

  it('shows the answer to what was asked for last', async () => {
    const { raw, model } = aPipeline();
    const waiting: ((response: Response) => void)[] = [];
    const { client } = makeClient({
      'v1/provenance': () =>
        new Promise<Response>(resolve => waiting.push(resolve))
    });
    const shown = new ProvenanceModel({ client, workspace: 'w' });
    const first = shown.load();
    const second = shown.setQuery({ start: model.id });
    await waitFor(() => expect(waiting).toHaveLength(2));
    waiting[1](json(aGraph([model], [])));
    await second;
    waiting[0](json(aGraph([raw], [])));
    await first;
    expect([...shown.arrangement.nodes.keys()]).toEqual([model.id]);
    expect(shown.isBusy).toBe(false);
    shown.dispose();
  });
});

describe('files of a run', () => {
  it('lead to what they were made from, or to what came of them', () => {
    const run = makeRun();
    const openProvenance = jest.fn();
    const files = (direction: 'input' | 'output') => (
      <Files
        title="files"
        none=""
        direction={direction}
        files={direction === 'input' ? run.inputs : run.outputs}
        commit={COMMIT_A}
        openFile={jest.fn()}
        openRun={jest.fn()}
        openProvenance={openProvenance}
        trans={trans}
      />
    );
    const { rerender } = render(files('input'));
    fireEvent.click(screen.getByText('Made from…'));
    expect(openProvenance).toHaveBeenLastCalledWith(
      `file:data/clean.csv@${COMMIT_B}`,
      'up'
    );
    rerender(files('output'));
    fireEvent.click(screen.getByText('Came of it…'));
    expect(openProvenance).toHaveBeenLastCalledWith(
      `file:model.joblib@${COMMIT_A}`,
      'down'
    );
  });
});

describe('text of others', () => {
  const evilRun = aRunNode('evil-000', 2, {
    label: EVIL,
    workload_file: `${EVIL}.py`,
    author: EVIL,
    models: [EVIL]
  });
  const evilFile = aFileNode(`d/${EVIL}`, 1, { models: [EVIL] });
  const graph = aGraph([evilFile, evilRun], [anEdge(evilFile, evilRun)]);

  it('stays text in the list and the sheet', async () => {
    const { container } = await show({
      'v1/provenance': graph,
      'v1/runs/evil-000': makeRun({
        parameters: { [EVIL]: EVIL },
        metrics: { [EVIL]: 1 }
      })
    });
    fireEvent.click(screen.getAllByText(EVIL)[0]);
    await screen.findByText(`${EVIL}.py`);
    await waitFor(() =>
      expect(container.querySelector('table')?.textContent).toContain(EVIL)
    );
    expect(container.querySelector('img')).toBeNull();
  });

  it('stays text in nodes and pictures', () => {
    const { client } = makeClient({});
    const model = new ProvenanceModel({ client, workspace: '' });
    const shown = {
      id: evilRun.id,
      kind: 'run' as const,
      node: evilRun,
      members: [evilRun.id],
      runs: 1,
      moreUp: 2,
      moreDown: 0,
      dimmed: false,
      place: { layer: 0, row: 0 }
    };
    const onMore = jest.fn();
    const { container } = render(
      React.createElement(Artefact as any, {
        data: {
          shown,
          domId: 'n1',
          colour: 1,
          sentence: nodeSentence(shown, trans),
          workspace: null,
          onMore,
          onExpand: jest.fn(),
          trans
        }
      })
    );
    expect(container.textContent).toContain(EVIL);
    expect(container.querySelector('img')).toBeNull();
    fireEvent.click(screen.getByRole('button', { name: /Show 2 more/ }));
    expect(onMore).toHaveBeenCalledWith(evilRun.id, 'up');
    model.dispose();
  });

  it('stays text in a picture', async () => {
    const { client } = makeClient({ 'v1/provenance': graph });
    const model = new ProvenanceModel({ client, workspace: '' });
    await model.load();
    const svg = drawPicture(model, document.body, trans);
    const source = new XMLSerializer().serializeToString(svg);
    expect(source).toContain('&lt;img');
    expect(source).not.toContain('<img');
    expect(svg.querySelectorAll('path')).toHaveLength(1);
    expect(fileName('file:../../etc/passwd@', 'svg')).toBe(
      'provenance-file-..-..-etc-passwd-.svg'
    );
    model.dispose();
  });

  it('stays text in a comparison of lineages', async () => {
    const { client } = makeClient({
      'v1/provenance/compare': {
        a: 'run:a',
        b: 'run:b',
        files: [
          {
            path: EVIL,
            a: 'a'.repeat(64),
            b: null,
            a_digest: 'x',
            b_digest: null
          }
        ],
        parameters: [{ run_file: EVIL, name: EVIL, a: EVIL, b: 2 }],
        programs: [],
        environments: [],
        only_a: [evilRun],
        only_b: []
      }
    });
    const model = new LineagesModel(
      new ProvenanceClient(client.serverSettings, 'w'),
      'run:a',
      'run:b'
    );
    await model.load();
    const actions = {
      openFile: jest.fn(),
      openProvenance: jest.fn(),
      copyLink: jest.fn()
    };
    const { container } = render(
      <LineagesView model={model} actions={actions} trans={trans} />
    );
    expect(container.querySelector('img')).toBeNull();
    expect(screen.getAllByText(EVIL).length).toBeGreaterThan(3);
    fireEvent.click(screen.getByRole('button', { name: 'aaaaaaaa' }));
    expect(actions.openFile).toHaveBeenCalledWith('a'.repeat(64), EVIL);
    fireEvent.click(screen.getByRole('button', { name: EVIL }));
    expect(actions.openProvenance).toHaveBeenCalledWith(evilRun.id);
    model.dispose();
  });
});
