import { PYTHON_COMMAND } from '../started-runtime.ts';
import { runtimeSuite } from '../runtime.suite.ts';

const code = `
import os, subprocess, sys, time

def handler(event, context):
    word, _, rest = event.partition(b' ')
    if word == b'echo':
        return rest
    if word == b'big':
        return b'x' * int(rest)
    if word == b'print':
        print(rest.decode())
        return 'done'
    if word == b'wait':
        print('waiting')
        while not os.path.exists(rest):
            time.sleep(0.002)
        print('waited')
        return rest
    if word == b'child':
        subprocess.run(['sh', '-c', 'echo "$0"; echo "$0" >&2', rest.decode()], check=True)
        return 'done'
    if word == b'exit':
        print(rest.decode())
        sys.exit(7)
    if word == b'spin':
        print(rest.decode())
        while True:
            pass
`;

runtimeSuite({ name: 'python3', runtimeId: 'python3.10', command: PYTHON_COMMAND, files: { 'index.py': code } });
