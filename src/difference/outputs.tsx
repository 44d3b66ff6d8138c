// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import * as React from 'react';

import type { OutputPair } from '../api/schema';
import type { IOutputParts } from './output';
import { Output } from './output';
import type { IRowsView, ISignNames } from './rows';
import { ROW_HEIGHT, TextRows } from './rows';

/** About how high an output is that is not text, in px. */
const OUTPUT_HEIGHT = 220;

/**
 * What the two sides of outputs are called.
 */
export interface IOutputNames {
  /** Above the older output. */
  readonly old: string;

  /** Where it has none. */
  readonly noOld: string;

  /** The older output, for who cannot see it. */
  readonly oldLabel: string;

  /** Above the newer output. */
  readonly newer: string;

  /** Where it has none. */
  readonly noNewer: string;

  /** The newer output, for who cannot see it. */
  readonly newerLabel: string;

  /** In the place of an output that is the same on both sides. */
  readonly same: string;

  /** What the signs of texts mean, where it is not that lines came and went. */
  readonly signs?: ISignNames;
}

interface IProps {
  readonly names: IOutputNames;
  readonly view: IRowsView;
  readonly parts: IOutputParts;
}

/**
 * The outputs of a cell, one side beside the other.
 *
 * @param props.place - Tells the cell from the others of the notebook
 */
export function OutputPairs(
  props: IProps & { pairs: readonly OutputPair[]; place: string }
): JSX.Element | null {
  const { pairs, place, ...shared } = props;
  if (pairs.length === 0) {
    return null;
  }
  return (
    <div role="group" aria-label={props.parts.trans.__('Outputs')}>
      {pairs.map((pair, index) => (
        <Pair
          key={index}
          pair={pair}
          scope={`output ${index} ${place}`}
          {...shared}
        />
      ))}
    </div>
  );
}

/**
 * About how high outputs are, in px.
 */
export function outputsHeight(pairs: readonly OutputPair[]): number {
  return pairs.reduce(
    (sum, { change, text }) =>
      sum +
      (change === 'same'
        ? ROW_HEIGHT
        : text
          ? text.rows.length * ROW_HEIGHT
          : OUTPUT_HEIGHT),
    0
  );
}

function Pair(
  props: IProps & { pair: OutputPair; scope: string }
): JSX.Element {
  const { pair, scope, names, view, parts } = props;
  const { trans } = parts;
  if (pair.change === 'same') {
    return <div className="jp-DotscienceCell-folded">{names.same}</div>;
  }
  if (pair.text) {
    return (
      <>
        <h4 className="jp-DotscienceCell-part">
          {trans.__('Text of the output')}
        </h4>
        <TextRows
          text={pair.text}
          label={trans.__('Text of the output')}
          scope={scope}
          view={view}
          names={names.signs}
          trans={trans}
        />
      </>
    );
  }
  return (
    <div className="jp-DotscienceSides">
      <div className={pair.old ? 'jp-mod-removed' : 'jp-mod-none'}>
        <h4>{pair.old ? names.old : names.noOld}</h4>
        {pair.old && (
          <Output output={pair.old} label={names.oldLabel} parts={parts} />
        )}
      </div>
      <div className={pair.new ? 'jp-mod-added' : 'jp-mod-none'}>
        <h4>{pair.new ? names.newer : names.noNewer}</h4>
        {pair.new && (
          <Output output={pair.new} label={names.newerLabel} parts={parts} />
        )}
      </div>
    </div>
  );
}
