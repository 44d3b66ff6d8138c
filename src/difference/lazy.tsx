// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import * as React from 'react';

/** How far from the visible part something is drawn already, in px. */
const MARGIN = 600;

type Seen = (element: Element, onSeen: () => void) => () => void;

const LazyContext = React.createContext<Seen | null>(null);

/**
 * A part that scrolls, of which the {@link Lazy} parts are drawn when they come near.
 */
export const LazyScroll = React.forwardRef<
  HTMLDivElement,
  React.HTMLAttributes<HTMLDivElement>
>((props, forwarded) => {
  const ref = React.useRef<HTMLDivElement>(null);
  React.useImperativeHandle(forwarded, () => ref.current!);
  const waiting = React.useRef(new Map<Element, () => void>());
  const observer = React.useRef<IntersectionObserver | null>(null);

  const observe = React.useCallback<Seen>((element, onSeen) => {
    // made by the first that waits, which is before this part's own effects
    observer.current ??= new IntersectionObserver(
      entries => {
        for (const entry of entries) {
          if (entry.isIntersecting) {
            observer.current?.unobserve(entry.target);
            waiting.current.get(entry.target)?.();
            waiting.current.delete(entry.target);
          }
        }
      },
      {
        root: element.closest('.jp-DotscienceLazyScroll'),
        rootMargin: `${MARGIN}px 0px`
      }
    );
    waiting.current.set(element, onSeen);
    observer.current.observe(element);
    return () => {
      observer.current?.unobserve(element);
      waiting.current.delete(element);
    };
  }, []);

  React.useEffect(
    () => () => {
      observer.current?.disconnect();
      observer.current = null;
    },
    []
  );

  return (
    <LazyContext.Provider value={observe}>
      <div
        {...props}
        ref={ref}
        className={`jp-DotscienceLazyScroll ${props.className ?? ''}`}
      />
    </LazyContext.Provider>
  );
});
LazyScroll.displayName = 'LazyScroll';

/**
 * Something that is drawn when it comes near the visible part; until then it only takes its room.
 *
 * @param props.estimate - How high it will be, in px
 * @param props.hasChange - Whether it holds something that one can go to
 */
export function Lazy(props: {
  estimate: number;
  hasChange?: boolean;
  children: () => React.ReactNode;
}): JSX.Element {
  const observe = React.useContext(LazyContext);
  const ref = React.useRef<HTMLDivElement>(null);
  const [seen, setSeen] = React.useState(
    observe === null || typeof IntersectionObserver === 'undefined'
  );
  React.useEffect(() => {
    const element = ref.current;
    if (seen || !element || !observe) {
      return;
    }
    return observe(element, () => setSeen(true));
  }, [seen, observe]);
  if (seen) {
    return <>{props.children()}</>;
  }
  return (
    <div
      ref={ref}
      className="jp-DotscienceLazy"
      style={{ height: props.estimate }}
      data-change={props.hasChange ? '' : undefined}
      aria-hidden="true"
    />
  );
}
