/**
 * Whose code the TF.js chunks are, and under which terms.
 *
 * It stands once at their head, because the same words in front of each of their five hundred
 * files. `long` and `seedrandom` are what TF.js depends on.
 */
export const TFJS_NOTICE = `/*!
TensorFlow.js, Copyright Google LLC, and long, Copyright Daniel Wirtz and the Closure
Library Authors: licensed under the Apache License, Version 2.0, a copy of which is at
http://www.apache.org/licenses/LICENSE-2.0.

seedrandom, Copyright 2010 Johannes Baagøe and 2019 David Bau:

Permission is hereby granted, free of charge, to any person obtaining a copy of this
software and associated documentation files (the "Software"), to deal in the Software
without restriction, including without limitation the rights to use, copy, modify, merge,
publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons
to whom the Software is furnished to do so, subject to the following conditions: The above
copyright notice and this permission notice shall be included in all copies or substantial
portions of the Software. THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND,
EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS
FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT
HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF
CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE
USE OR OTHER DEALINGS IN THE SOFTWARE.
*/`;
