// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IChoice } from '../provenance/arrange';
import { CHAIN, arrange, findChains } from '../provenance/arrange';
import { ProvenanceGraph } from '../provenance/graph';
import { handleKey } from '../provenance/keys';
import { toContentsPath, toFolderPath } from '../provenance/paths';
import {
  filePath,
  matches,
  nodeSentence,
  nodeSubtitle,
  pathOf,
  startTitle
} from '../provenance/words';
import { nullTranslator } from '@jupyterlab/translation';
import {
  aChain,
  aFileNode,
  aGraph,
  aPipeline,
  aRunNode,
  anEdge
} from './provenance-fixtures';

const trans = nullTranslator.load('dotscience_jupyter');

const choice = (fields: Partial<IChoice> = {}): IChoice => ({
  focus: null,
  only: false,
  foldedUp: new Set(),
  foldedDown: new Set(),
  chains: [],
  ...fields
});

function pipeline() {
  const parts = aPipeline();
  const graph = new ProvenanceGraph();
  graph.merge(aGraph(parts.nodes, parts.edges));
  return { ...parts, graph };
}

describe('ProvenanceGraph', () => {
  it('knows what a node was made from, and what came of it', () => {
    const { graph, raw, clean, cleaned, train, model, failed } = pipeline();
    expect([...graph.lineage([model.id], 'up')].sort()).toEqual(
      [raw, clean, cleaned, train, model].map(({ id }) => id).sort()
    );
    expect([...graph.lineage([cleaned.id], 'down')].sort()).toEqual(
      [cleaned, train, model, failed].map(({ id }) => id).sort()
    );
    expect(graph.lineage([cleaned.id], 'both').size).toBe(6);
  });

  it('counts the neighbours that no answer told of', () => {
    const file = aFileNode('a', 1, { hidden_down: 3 });
    const first = aRunNode('first', 2);
    const graph = new ProvenanceGraph();
    graph.merge(aGraph([file, first], [anEdge(file, first)]));
    expect(graph.hiddenDown(file.id)).toBe(3);
    // another answer: two of the three, and what was known is left out of it
    const more = [aRunNode('second', 3), aRunNode('third', 4)];
    graph.merge(
      aGraph(
        [{ ...file, hidden_down: 2 }, ...more],
        more.map(run => anEdge(file, run))
      )
    );
    expect(graph.hiddenDown(file.id)).toBe(1);
    expect(graph.down(file.id)).toHaveLength(3);
  });

  it('leaves out edges to nodes that it was not told of', () => {
    const { raw, clean } = aPipeline();
    const graph = new ProvenanceGraph();
    graph.merge(aGraph([raw], [anEdge(raw, clean)]));
    expect(graph.edges).toEqual([]);
  });
});

describe('findChains and arrange', () => {
  it('show a long chain as one node with its neighbours', () => {
    const { nodes, edges } = aChain(8);
    const graph = new ProvenanceGraph();
    graph.merge(aGraph(nodes, edges));
    const chains = findChains(graph, new Set());
    expect(chains).toHaveLength(1);
    expect(chains[0]).toHaveLength(15); // all but the raw data and the last file
    const shown = arrange(graph, choice({ chains }));
    const chain = shown.nodes.get('chain:run:r1');
    expect(chain).toMatchObject({ kind: 'chain', runs: 8 });
    expect(shown.nodes.size).toBe(3);
    expect(shown.shownFor('run:r5')).toBe('chain:run:r1');
    expect(shown.up('chain:run:r1')).toEqual([nodes[0].id]);
    expect(shown.down('chain:run:r1')).toEqual([nodes[16].id]);
  });

  it('leave what people look for out of chains', () => {
    const { nodes, edges } = aChain(2 * CHAIN + 2);
    const last = CHAIN + 1;
    nodes.find(({ id }) => id === `run:r${last}`)!.status = 'failed';
    const graph = new ProvenanceGraph();
    graph.merge(aGraph(nodes, edges));
    const chains = findChains(graph, new Set());
    expect(chains).toHaveLength(2);
    expect(chains.flat()).not.toContain(`run:r${last}`);
    expect(findChains(graph, new Set([`run:r${CHAIN - 1}`]))).toHaveLength(1);
  });

  it('do not make chains of a few runs', () => {
    const { nodes, edges } = aChain(CHAIN - 1);
    const graph = new ProvenanceGraph();
    graph.merge(aGraph(nodes, edges));
    expect(findChains(graph, new Set())).toEqual([]);
  });

  it('dim or leave out what is not in the lineage that is looked at', () => {
    const { graph, model, failed } = pipeline();
    const focus = { id: model.id, direction: 'up' as const };
    const dimmed = arrange(graph, choice({ focus }));
    expect(dimmed.nodes.get(failed.id)?.dimmed).toBe(true);
    expect(dimmed.nodes.get(model.id)?.dimmed).toBe(false);
    expect(dimmed.edges.filter(edge => edge.dimmed)).toHaveLength(1);
    const only = arrange(graph, choice({ focus, only: true }));
    expect(only.nodes.has(failed.id)).toBe(false);
    expect(only.nodes.size).toBe(5);
  });

  it('fold away what came of a node, and nothing else', () => {
    const { graph, cleaned, clean, model, train, failed, raw } = pipeline();
    const other = aFileNode('other.csv', 3, { source: true });
    graph.merge(aGraph([other, train], [anEdge(other, train)]));
    const shown = arrange(graph, choice({ foldedDown: new Set([cleaned.id]) }));
    // what was trained on the other file too stays
    expect([...shown.nodes.keys()].sort()).toEqual(
      [raw, clean, cleaned, other, train, model].map(({ id }) => id).sort()
    );
    expect(shown.nodes.get(cleaned.id)?.moreDown).toBe(1);
    const up = arrange(graph, choice({ foldedUp: new Set([train.id]) }));
    expect(up.nodes.has(other.id)).toBe(false);
    expect(up.nodes.has(failed.id)).toBe(true);
    expect(up.nodes.has(cleaned.id)).toBe(true);
  });

  it('tell observed edges from declared ones', () => {
    const { graph, failed } = pipeline();
    const derived = arrange(graph, choice()).edges.filter(edge => edge.derived);
    expect(derived.map(({ target }) => target)).toEqual([failed.id]);
  });
});

describe('handleKey', () => {
  const press = (
    key: string,
    selected: string | null,
    modifiers: { ctrlKey?: boolean } = {}
  ) => {
    const { graph, model, ...parts } = pipeline();
    const actions = {
      arrangement: arrange(graph, choice()),
      selected,
      start: [model.id],
      select: jest.fn(),
      choose: jest.fn(),
      open: jest.fn(),
      escape: jest.fn(),
      zoom: jest.fn()
    };
    const done = handleKey(
      { key, ctrlKey: false, metaKey: false, altKey: false, ...modifiers },
      actions
    );
    return { ...actions, ...parts, model, done };
  };

  it('follows the edges and goes up and down in a column', () => {
    const { model, train, cleaned, failed } = aPipeline();
    for (const [key, from, to] of [
      ['ArrowLeft', model.id, train.id],
      ['ArrowRight', cleaned.id, train.id],
      ['ArrowDown', train.id, failed.id],
      ['ArrowUp', failed.id, train.id]
    ]) {
      const { select, done } = press(key, from);
      expect(select).toHaveBeenCalledWith(to);
      expect(done).toBe(true);
    }
    expect(press('ArrowUp', train.id).select).not.toHaveBeenCalled();
  });

  it('begins at the start', () => {
    expect(press('ArrowLeft', null).select).toHaveBeenCalledWith(
      aPipeline().model.id
    );
  });

  it('opens, shows, zooms and goes back', () => {
    const { train } = aPipeline();
    expect(press('Enter', train.id).open).toHaveBeenCalledWith(train.id);
    expect(press('Enter', null).done).toBe(false);
    expect(press(' ', train.id).choose).toHaveBeenCalledWith(train.id);
    expect(press('Escape', null).escape).toHaveBeenCalled();
    expect(press('-', null).zoom).toHaveBeenCalledWith(-1);
    expect(press('0', null).zoom).toHaveBeenCalledWith(0);
  });

  it('leaves other keys to the application', () => {
    expect(press('a', null).done).toBe(false);
    expect(press('ArrowLeft', null, { ctrlKey: true }).done).toBe(false);
  });
});

describe('paths', () => {
  it.each([
    [{ path: 'team/iris', prefix: '' }, 'team/iris/data/a.csv', 'data/a.csv'],
    [{ path: '', prefix: '' }, 'a.csv', 'a.csv'],
    [{ path: '', prefix: 'sub/dir' }, 'x/a.csv', 'sub/dir/x/a.csv'],
    [{ path: 'w', prefix: '' }, 'w/a\\b', 'a\\\\b'],
    [{ path: 'w', prefix: '' }, 'w/caf\\xe9', 'caf\\xe9']
  ])('of %p turn %p into %p and back', (workspace, contents, path) => {
    expect(toFolderPath(workspace, contents)).toBe(path);
    expect(toContentsPath(workspace, path)).toBe(contents);
  });

  it('are none where the other side has none', () => {
    expect(toFolderPath({ path: 'a', prefix: '' }, 'ab/c')).toBeNull();
    expect(toContentsPath({ path: '', prefix: 'sub' }, 'other/x')).toBeNull();
  });
});

describe('words', () => {
  it('split a path from its commit at the last @', () => {
    expect(filePath('a@b/c@0123abcd')).toBe('a@b/c');
    expect(filePath('plain.csv')).toBe('plain.csv');
    expect(filePath('new.csv@')).toBe('new.csv');
    expect(startTitle('file:data/a.csv@abc', trans)).toBe(
      'Provenance of a.csv'
    );
    expect(startTitle('model:digits', trans)).toBe(
      'Provenance of model digits'
    );
    expect(startTitle('', trans)).toBe('Provenance');
  });

  it('find by name, path, id, program or model', () => {
    const { model, clean } = aPipeline();
    expect(matches(model, ['digits'])).toBe(true);
    expect(matches(model, ['joblib', 'digits'])).toBe(true);
    expect(matches(clean, ['clean.ipynb', 'data'])).toBe(true);
    expect(matches(clean, ['joblib'])).toBe(false);
  });
});

describe('a file of a dataset', () => {
  it('is called by the dataset, its path within, and its version there', () => {
    const file = aFileNode('measured//2024/raw.csv', 1, {
      id: `file:measured//2024/raw.csv@${'c'.repeat(64)}`,
      dataset: 'measured',
      commit: null
    });
    const graph = new ProvenanceGraph();
    graph.merge(aGraph([file], []));
    const shown = arrange(graph, choice()).nodes.get(file.id)!;
    expect(pathOf(file)).toBe('2024/raw.csv');
    expect(nodeSubtitle(file, trans)).toBe('dataset measured · cccccccc');
    expect(nodeSentence(shown, trans)).toBe(
      'File 2024/raw.csv of dataset measured, version cccccccc'
    );
    const unknown = { ...file, id: 'file:measured//2024/raw.csv' };
    expect(nodeSubtitle(unknown, trans)).toBe(
      'dataset measured · not in any commit'
    );
  });
});
