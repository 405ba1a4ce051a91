/** The tests' page speaks English. */

import english from '../../templates/strings/en.json';
import { speak } from '../src/page/language';

speak({ tag: 'en', texts: english.script });
