#!/bin/sh
# The help texts and the documents agree: every verb has --help with an example; every option that a
# document or an example gives to a verb is there; every option of a verb is told in a document.
#   manual.sh [PROGRAM]
# Ends with "N passed, N failed".
set -u
cd "$(dirname "$0")/../.." || exit 1
program=${1:-build/tidegate}
pass=0 fail=0
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# check WHAT FOUND: passes when nothing was found.
check() {
	if [ -z "$2" ]; then
		pass=$((pass + 1))
	else
		fail=$((fail + 1))
		printf 'FAIL %s:\n%s\n' "$1" "$2" | sed '2,$s/^/    /'
	fi
}

verbs=$("$program" --help | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p')
[ -n "$verbs" ] || {
	echo "FAIL $program --help names no verb"
	exit 1
}

# options VERB: as its help lists them.
options() {
	sed -n 's/^  \(-[a-z], \)\{0,1\}\(--[a-z][a-z0-9-]*\).*/\2/p' "$work/$1.help"
}

# A command goes on after a backslash at a line's end.
joined() {
	sed -e ':more' -e '/\\$/{N;s/\\\n[ \t]*/ /;b more' -e '}' "$@"
}

# used VERB FILE...: the options that stand behind "tidegate VERB" in a command.
used() {
	verb=$1
	shift
	joined "$@" | grep -o "tidegate $verb [^|\`;&]*" | grep -oE -- ' --[a-z][a-z0-9-]*' | tr -d ' ' | sort -u
}

# missing FILE WORD...: those that are not a line of FILE.
missing() {
	list=$1
	shift
	for word in "$@"; do
		grep -qxF -- "$word" "$list" || echo "$word"
	done
}

documents=$(git ls-files '*.md')
: >"$work/all"
for verb in $verbs; do
	"$program" "$verb" --help >"$work/$verb.help" 2>"$work/err"
	check "tidegate $verb --help succeeds, without a word on standard error" \
		"$([ $? -eq 0 ] || echo "exit code"; cat "$work/err")"
	check "tidegate $verb --help has an example of itself" \
		"$(sed -n '/^Example/,$p' "$work/$verb.help" | grep -q "tidegate $verb" || echo "none")"
	options "$verb" >"$work/$verb.options"
	echo --help >>"$work/$verb.options"
	cat "$work/$verb.options" >>"$work/all"
	# shellcheck disable=SC2046,SC2086 # lists of words
	{
		check "options in the example of $verb" "$(missing "$work/$verb.options" $(used "$verb" "$work/$verb.help"))"
		check "options of $verb in documents" "$(missing "$work/$verb.options" $(used "$verb" $documents))"
	}
done

# An option in a code span of its own is one of ours, or of a script under tests/.
# shellcheck disable=SC2086
for option in $(grep -ohE -- '`--[a-z][a-z0-9-]*' $documents | tr -d '`' | sort -u); do
	grep -qxF -- "$option" "$work/all" || grep -rqF --include='*.sh' -- "$option" tests || echo "$option"
done >"$work/unknown"
check "options in documents that nothing has" "$(cat "$work/unknown")"
# shellcheck disable=SC2086
for option in $(sort -u "$work/all"); do
	# Its letter, in a command, tells it as well.
	letter=$(sed -n "s/^  \(-[a-z]\), $option .*/\1/p" "$work"/*.help | head -n 1)
	grep -qE -- "$option([^a-z0-9-]|\$)|tidegate [a-z]+ [^|\`]*${letter:-$option}([^a-z0-9-]|\$)" $documents || echo "$option"
done >"$work/untold"
check "options that no document tells" "$(cat "$work/untold")"
echo "$pass passed, $fail failed"
[ $fail -eq 0 ]
