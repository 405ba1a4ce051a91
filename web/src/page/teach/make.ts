/** Makes elements. */

/** Returns an element with a class and a text. */
export function made<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  className = '',
  text = '',
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  element.className = className;
  element.textContent = text;
  return element;
}

/** Returns a button. */
export function button(text: string, press: () => void, className = 'button'): HTMLButtonElement {
  const element = made('button', className, text);
  element.type = 'button';
  element.addEventListener('click', press);
  return element;
}

/** Returns a label that opens a choice of files, with its input. */
export function fileButton(
  text: string,
  accept: string,
  isMultiple: boolean,
  take: (files: readonly File[]) => void,
): HTMLLabelElement {
  const input = made('input', 'spoken');
  input.type = 'file';
  input.accept = accept;
  input.multiple = isMultiple;
  input.addEventListener('change', () => {
    const files = [...(input.files ?? [])];
    // The same file may be chosen again.
    input.value = '';
    if (files.length > 0) {
      take(files);
    }
  });
  const label = made('label', 'button teach-files');
  label.append(input, text);
  return label;
}

/** Makes a check box of an input, with its text beside it. */
export function checkbox(input: HTMLInputElement, text: string): HTMLLabelElement {
  input.type = 'checkbox';
  const label = made('label', 'teach-choice');
  label.append(input, ` ${text}`);
  return label;
}
