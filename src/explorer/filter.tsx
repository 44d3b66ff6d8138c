// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Completion, Suggestion } from '../api/schema';
import { isAbort } from '../request';

/** How long typing must pause before the server is asked, in ms. */
const TYPING = 150;

/** How long it must pause before what is wrong is said, in ms. */
const PATIENCE = 700;

interface IProblem {
  readonly message: string;
  /** Where, in characters; -1 where that is not known. */
  readonly position: number;
}

/**
 * The box for the condition that runs must fulfil, which says how it may go on.
 *
 * #### Notes
 * A condition is applied as soon as it can be understood and typing pauses, or with Enter.
 */
export function FilterBox(props: {
  where: string;
  /** What the server said of the condition that was applied. */
  problem: string | null;
  complete: (
    where: string,
    position: number,
    signal: AbortSignal
  ) => Promise<Completion>;
  apply: (where: string) => void;
  trans: TranslationBundle;
}): JSX.Element {
  const { where, complete, apply, trans } = props;
  const [text, setText] = React.useState(where);
  const [position, setPosition] = React.useState(where.length);
  const [isFocused, setFocused] = React.useState(false);
  const [completion, setCompletion] = React.useState<Completion | null>(null);
  const [isOpen, setOpen] = React.useState(false);
  const [active, setActive] = React.useState(-1);
  const [problem, setProblem] = React.useState<IProblem | null>(null);
  const input = React.useRef<HTMLInputElement>(null);
  const applied = React.useRef(where);
  const id = React.useId();

  // A link or a restored tab may bring another condition than the one that was typed.
  React.useEffect(() => {
    if (where !== applied.current) {
      applied.current = where;
      setText(where);
    }
  }, [where]);

  const applyNow = (value: string): void => {
    const trimmed = value.trim();
    if (trimmed !== applied.current) {
      applied.current = trimmed;
      apply(trimmed);
    }
  };

  React.useEffect(() => {
    if (!isFocused) {
      return;
    }
    const abort = new AbortController();
    let late: number | undefined;
    const timer = window.setTimeout(() => {
      complete(text, toPoints(text, position), abort.signal).then(
        answer => {
          if (abort.signal.aborted) {
            return;
          }
          setCompletion(answer);
          setActive(-1);
          if (answer.error === '') {
            setProblem(null);
            applyNow(text);
          } else {
            late = window.setTimeout(
              () =>
                setProblem({
                  message: answer.error,
                  position: toUnits(text, answer.position)
                }),
              PATIENCE
            );
          }
        },
        (reason: unknown) => {
          if (!isAbort(reason)) {
            // Without completion the box still filters, with Enter.
            setCompletion(null);
          }
        }
      );
    }, TYPING);
    return () => {
      abort.abort();
      window.clearTimeout(timer);
      window.clearTimeout(late);
    };
  }, [text, position, isFocused]);

  const items = isOpen && isFocused ? (completion?.items ?? []) : [];

  const accept = (item: Suggestion): void => {
    if (!completion) {
      return;
    }
    const start = toUnits(text, completion.start);
    const end = toUnits(text, completion.end);
    const next = text.slice(0, start) + item.text + text.slice(end);
    const cursor = start + item.text.length;
    setText(next);
    setPosition(cursor);
    setCompletion(null);
    setActive(-1);
    input.current?.focus();
    // The cursor can be placed only once the text is there.
    requestAnimationFrame(() =>
      input.current?.setSelectionRange(cursor, cursor)
    );
  };

  const onKeyDown = (event: React.KeyboardEvent): void => {
    switch (event.key) {
      case 'ArrowDown':
      case 'ArrowUp':
        setOpen(true);
        if (items.length > 0) {
          const step = event.key === 'ArrowDown' ? 1 : -1;
          const from = active < 0 && step < 0 ? 0 : active;
          setActive((from + step + items.length) % items.length);
        }
        break;
      case 'Enter':
        if (active >= 0 && items[active]) {
          accept(items[active]);
        } else {
          setOpen(false);
          applyNow(text);
        }
        break;
      case 'Tab':
        if (active < 0 || !items[active]) {
          return;
        }
        accept(items[active]);
        break;
      case 'Escape':
        if (!isOpen) {
          return;
        }
        setOpen(false);
        setActive(-1);
        break;
      default:
        return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  const shown: IProblem | null =
    problem ??
    (props.problem !== null && text.trim() === where
      ? { message: props.problem, position: -1 }
      : null);
  return (
    <div className="jp-DotscienceWhere">
      <input
        ref={input}
        className="jp-DotscienceWhere-input"
        type="text"
        role="combobox"
        aria-label={trans.__('Filter runs by a condition')}
        aria-autocomplete="list"
        aria-expanded={items.length > 0}
        aria-controls={`${id}-list`}
        aria-activedescendant={active >= 0 ? `${id}-${active}` : undefined}
        aria-invalid={shown !== null}
        aria-describedby={shown ? `${id}-problem` : undefined}
        autoComplete="off"
        spellCheck={false}
        placeholder={trans.__('Filter, such as %1', 'metrics.accuracy > 0.9')}
        value={text}
        onChange={event => {
          setText(event.target.value);
          setPosition(event.target.selectionStart ?? event.target.value.length);
          setOpen(true);
          setProblem(null);
        }}
        onSelect={event =>
          setPosition(event.currentTarget.selectionStart ?? text.length)
        }
        onFocus={() => setFocused(true)}
        onBlur={() => {
          setFocused(false);
          setOpen(false);
          if (problem === null) {
            applyNow(text);
          }
        }}
        onKeyDown={onKeyDown}
      />
      <ul
        id={`${id}-list`}
        className="jp-DotscienceWhere-list"
        role="listbox"
        aria-label={trans.__('How the condition may go on')}
        hidden={items.length === 0}
      >
        {items.map((item, index) => (
          <li
            key={`${item.kind} ${item.text}`}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === active}
            // The focus stays in the box.
            onMouseDown={event => event.preventDefault()}
            onClick={() => accept(item)}
          >
            <span className="jp-DotscienceWhere-label">{item.label}</span>
            <span className="jp-DotscienceWhere-kind">
              {item.detail || kindOf(item, trans)}
            </span>
          </li>
        ))}
      </ul>
      {shown && (
        <div
          id={`${id}-problem`}
          className="jp-DotscienceWhere-problem"
          role="alert"
        >
          {shown.position >= 0 && (
            <pre aria-hidden="true">{pointer(text, shown.position)}</pre>
          )}
          <span>{shown.message}</span>
        </div>
      )}
    </div>
  );
}

function kindOf(item: Suggestion, trans: TranslationBundle): string {
  switch (item.kind) {
    case 'field':
      return trans.__('field');
    case 'parameter':
      return trans.__('parameter');
    case 'metric':
      return trans.__('metric');
    case 'label':
      return trans.__('label');
    case 'operator':
      return trans.__('operator');
    case 'value':
      return trans.__('value');
    case 'keyword':
      return trans.__('word');
  }
}

/** The text around a position, and on a second line a mark below it. */
function pointer(text: string, position: number, width = 60): string {
  const start = Math.max(
    0,
    Math.min(position - width / 2, text.length - width)
  );
  const part = text.slice(start, start + width).replace(/\s/g, ' ');
  return `${part}\n${' '.repeat(Math.max(0, position - start))}▲`;
}

/** A position in UTF-16 units as one in characters, as the server counts. */
function toPoints(text: string, units: number): number {
  return [...text.slice(0, units)].length;
}

/** A position in characters as one in UTF-16 units. */
function toUnits(text: string, points: number): number {
  return points < 0 ? points : [...text].slice(0, points).join('').length;
}
