// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { OutputPair } from '../api/schema';
import { Lazy } from '../difference/lazy';
import type { IOutputParts } from '../difference/output';
import type { IOutputNames } from '../difference/outputs';
import { OutputPairs, outputsHeight } from '../difference/outputs';
import type { IRowsView, ISignNames } from '../difference/rows';

/** The server keeps some lines around what differs in an output, and no more can be had. */
const VIEW: IRowsView = {
  sideBySide: true,
  wrap: true,
  opened: new Set(),
  hasMore: false,
  unfold: () => undefined
};

/**
 * What the two versions of a cell made, side by side, so that one sees what one chooses.
 *
 * @param props.place - Tells the conflict from the others of the notebook
 */
export function ConflictOutputs(props: {
  pairs: readonly OutputPair[];
  place: string;
  signs: ISignNames;
  parts: IOutputParts;
}): JSX.Element | null {
  const { place, signs, parts } = props;
  const { trans } = parts;
  // each choice is answered with the same outputs again: they are not drawn again
  const [pairs] = React.useState(props.pairs);
  const names = React.useMemo(() => namesOf(signs, trans), [signs, trans]);
  if (pairs.length === 0) {
    return null;
  }
  return (
    <Lazy estimate={outputsHeight(pairs)}>
      {() => (
        <OutputPairs
          pairs={pairs}
          names={names}
          place={place}
          view={VIEW}
          parts={parts}
        />
      )}
    </Lazy>
  );
}

function namesOf(signs: ISignNames, trans: TranslationBundle): IOutputNames {
  return {
    old: trans.__('Output of yours'),
    noOld: trans.__('Yours: no output'),
    oldLabel: trans.__('Output of yours'),
    newer: trans.__('Output of theirs'),
    noNewer: trans.__('Theirs: no output'),
    newerLabel: trans.__('Output of theirs'),
    same: trans.__('An output that is the same in yours and theirs'),
    signs
  };
}
