#!/usr/bin/env bash
# Runs in the guest of the ZFS test machine: the tests in tests/zfs/inside. All of them are two processes beside each
# other; a part of them is one, as importing everything twice costs as much as several tests.
#
# usage: tests.sh PYTHON       leaves engine.xml and engine.txt in $VM_OUT, of two processes suite.xml and suite.txt too
#
# Up to three tests that fail are tried once more when both are done: an emulated machine is slow, and the host may be busy.
# Not so those that kill at chance moments, because what they find may show itself once in many times.
# What the others did then is in again.xml and again.txt. When all tests are asked for, that of a clock that jumps comes last and alone; it
# is in clock.xml and clock.txt.
set -u
export PYTEST_DISABLE_PLUGIN_AUTOLOAD=1
inside=tests/zfs/inside
run() {
    "$python" -m pytest -c $inside/pytest.ini --confcutdir=$inside --basetemp="/tmp/$1" \
        --junit-xml="$VM_OUT/$1.xml" --color=no --durations=15 "${@:2}" > "$VM_OUT/$1.txt" 2>&1
}
python=$1
if [ "${DOTSCIENCE_ZFS_TESTS:-all}" = all ]; then
    # the halves take about as long as each other
    half=($inside/test_zfs_{adapter,exchange,processes,suite}.py)
    run engine $inside --ignore=$inside/test_zfs_clock.py "${half[@]/#/--ignore=}" &
    engine=$!
    run suite "${half[@]}"
    status=$?
    wait $engine || status=1
else
    run engine $inside --ignore=$inside/test_zfs_clock.py
    status=$?
fi
cat "$VM_OUT"/{engine,suite}.txt 2> /dev/null | sed -nE 's/^(FAILED|ERROR) ([^ ]+).*/\2/p' > /tmp/failed
mapfile -t failed < /tmp/failed
if [ $status = 1 ] && [ ${#failed[@]} -gt 0 ] && [ ${#failed[@]} -le 3 ] && ! grep -q ::test_killed_ /tmp/failed; then
    run again "${failed[@]}"
    status=$?
fi
if [ "${DOTSCIENCE_ZFS_TESTS:-all}" = all ]; then
    run clock $inside/test_zfs_clock.py || status=1
fi
exit $status
