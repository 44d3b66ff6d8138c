// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { TextButton } from '../run/components';

/**
 * A button that copies a link to a view.
 */
export function CopyLink(props: {
  onClick: () => void;
  trans: TranslationBundle;
}): JSX.Element {
  const { onClick, trans } = props;
  return (
    <TextButton
      title={trans.__('Copy an address that opens this in JupyterLab')}
      onClick={onClick}
    >
      {trans.__('Copy Link')}
    </TextButton>
  );
}
