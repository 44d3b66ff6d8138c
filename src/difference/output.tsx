// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { MimeModel } from '@jupyterlab/rendermime';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { PartialJSONObject } from '@lumino/coreutils';
import { Widget } from '@lumino/widgets';
import * as React from 'react';

import type { Blob as OutputBlob, CellOutput } from '../api/schema';
import {
  Empty,
  Failure,
  TextButton,
  Waiting,
  useAsked
} from '../run/components';
import { formatBytes } from '../run/format';
import { imageBlob, shownOutput } from './bundle';
import type { Highlighter } from './highlight';
import { AskedImage } from './image';

/**
 * What outputs are shown with.
 */
export interface IOutputParts {
  /** Draws the forms of an output; null where there is none. */
  readonly rendermime: IRenderMimeRegistry | null;

  /** Reads a large part of an output. */
  readonly blob: (blob: OutputBlob, signal?: AbortSignal) => Promise<Blob>;

  /** Colours texts; null where JupyterLab's languages are not at hand. */
  readonly highlighter: Highlighter | null;

  /** The translations. */
  readonly trans: TranslationBundle;
}

/**
 * An output of a cell, which is never trusted.
 */
export function Output(props: {
  output: CellOutput;
  label: string;
  parts: IOutputParts;
}): JSX.Element {
  const { output, label, parts } = props;
  const shown = React.useMemo(() => shownOutput(output), [output]);
  switch (shown.kind) {
    case 'image':
      return (
        <AskedImage
          source={shown.data}
          ask={async () => imageBlob(shown.data, shown.type, shown.isText)}
          alt={label}
          trans={parts.trans}
        />
      );
    case 'blob':
      return (
        <AskedImage
          source={`${shown.blob.digest} ${shown.blob.mime}`}
          ask={signal => parts.blob(shown.blob, signal)}
          alt={label}
          trans={parts.trans}
        />
      );
    case 'bundle':
      return (
        <>
          {(Object.keys(shown.data).length > 0 || shown.more.length === 0) && (
            <Bundle data={shown.data} parts={parts} />
          )}
          {shown.more.map(blob => (
            <LargePart key={blob.mime} blob={blob} parts={parts} />
          ))}
        </>
      );
  }
}

/**
 * A part of an output that is so large that it is read only when someone wants it.
 */
function LargePart(props: {
  blob: OutputBlob;
  parts: IOutputParts;
}): JSX.Element {
  const { blob, parts } = props;
  const { trans } = parts;
  const [wanted, setWanted] = React.useState(false);
  const asked = useAsked(
    () => parts.blob(blob).then(answer => answer.text()),
    `${blob.digest} ${blob.mime}`,
    wanted
  );
  if (!wanted) {
    return (
      <p>
        <TextButton
          title={trans.__('Digest %1', blob.digest)}
          onClick={() => setWanted(true)}
        >
          {trans.__('Show all (%1, %2)', blob.mime, formatBytes(blob.size))}
        </TextButton>
      </p>
    );
  }
  if (asked.error) {
    return (
      <Failure
        message={trans.__('It could not be read: %1', asked.error.message)}
        trans={trans}
        onRetry={asked.retry}
      />
    );
  }
  if (asked.value === null) {
    return <Waiting>{trans.__('Reading…')}</Waiting>;
  }
  return (
    <Bundle
      data={{ [blob.mime]: parsed(blob.mime, asked.value) }}
      parts={parts}
    />
  );
}

function parsed(mime: string, text: string): PartialJSONObject[string] {
  if (/[/+]json$/.test(mime)) {
    try {
      return JSON.parse(text);
    } catch {
      // shown as the text that it is
    }
  }
  return text;
}

/**
 * Draws the best form that is safe to show untrusted.
 */
function Bundle(props: {
  data: PartialJSONObject;
  parts: IOutputParts;
}): JSX.Element {
  const { data } = props;
  const { rendermime, trans } = props.parts;
  const mime = rendermime?.preferredMimeType(data, 'ensure');
  const host = React.useRef<HTMLDivElement>(null);
  const [failed, setFailed] = React.useState('');
  React.useLayoutEffect(() => {
    const node = host.current;
    if (!node || !rendermime || mime === undefined) {
      return;
    }
    const renderer = rendermime.createRenderer(mime);
    renderer
      .renderModel(new MimeModel({ data, trusted: false }))
      .catch((reason: unknown) => setFailed(String(reason)));
    Widget.attach(renderer, node);
    return () => {
      renderer.dispose();
    };
  }, [rendermime, data, mime]);

  if (mime === undefined) {
    return (
      <Empty>
        {trans.__(
          'An output that cannot be shown here (%1).',
          Object.keys(data).join(', ') || trans.__('without content')
        )}
      </Empty>
    );
  }
  return (
    <>
      {failed && <Empty>{failed}</Empty>}
      <div ref={host} className="jp-DotscienceOutput jp-OutputArea-output" />
    </>
  );
}
