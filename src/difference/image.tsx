// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { errorOf } from '../reason';
import { Failure, Waiting } from '../run/components';
import { isAbort } from '../request';

/**
 * What is shown of something that is asked for.
 */
export interface IObjectUrl {
  /** Its address in this page, once it is there. */
  readonly url: string | null;

  /** Why it is not there. */
  readonly error: Error | null;
}

/**
 * Ask for bytes and give them an address in this page, which is taken back when it is not used.
 *
 * @param ask - Asks; called again only when `key` changes
 */
export function useObjectUrl(
  ask: (signal: AbortSignal) => Promise<Blob>,
  key: string
): IObjectUrl {
  const [state, setState] = React.useState<IObjectUrl>({
    url: null,
    error: null
  });
  const latest = React.useRef(ask);
  latest.current = ask;
  React.useEffect(() => {
    const abort = new AbortController();
    let url: string | null = null;
    latest.current(abort.signal).then(
      blob => {
        if (!abort.signal.aborted) {
          url = URL.createObjectURL(blob);
          setState({ url, error: null });
        }
      },
      (reason: unknown) => {
        if (!abort.signal.aborted && !isAbort(reason)) {
          const error = errorOf(reason);
          setState({ url: null, error });
        }
      }
    );
    return () => {
      abort.abort();
      if (url !== null) {
        URL.revokeObjectURL(url);
      }
    };
  }, [key]);
  return state;
}

/**
 * An image that is asked for.
 *
 * @param props.source - Tells images apart
 */
export function AskedImage(props: {
  ask: (signal: AbortSignal) => Promise<Blob>;
  source: string;
  alt: string;
  trans: TranslationBundle;
}): JSX.Element {
  const { ask, source, alt, trans } = props;
  const { url, error } = useObjectUrl(ask, source);
  if (error) {
    return (
      <Failure
        message={trans.__('The image could not be read: %1', error.message)}
        trans={trans}
      />
    );
  }
  return url === null ? (
    <Waiting>{trans.__('Reading the image…')}</Waiting>
  ) : (
    <img className="jp-DotscienceImage" src={url} alt={alt} />
  );
}
