#!/bin/sh
# Every relative link of every Markdown file leads to a file, every anchor to a heading of it (named as
# GitHub names them). Prints "file:line: ..." for each that does not; ends with "links: N checked".
#   links.sh [FILE...]    default: all that git knows
set -u
[ $# -gt 0 ] || {
	cd "$(dirname "$0")/../.." || exit 1
	# shellcheck disable=SC2046 # no file of ours has a space in its name
	set -- $(git ls-files '*.md')
}

# Lines outside of fenced code: "number<TAB>line".
prose() {
	awk '/^[ \t]*(```|~~~)/ {code = !code; next} !code {print NR "\t" $0}' "$1"
}

# The anchors that a file's headings have.
anchors() {
	prose "$1" | cut -f2- | awk '
		/^#+ / {
			sub(/^#+ +/, ""); sub(/ +#*$/, "")
			# Of a link its text stays, of code its content.
			while (match($0, /\[[^]]*\]\([^)]*\)/)) {
				text = substr($0, RSTART + 1, RLENGTH - 1); sub(/\].*/, "", text)
				$0 = substr($0, 1, RSTART - 1) text substr($0, RSTART + RLENGTH)
			}
			s = tolower($0)
			gsub(/[^a-z0-9_ \200-\377-]/, "", s); gsub(/ /, "-", s)
			print (n[s]++ ? s "-" (n[s] - 1) : s)
		}'
	grep -o '<a [^>]*\(id\|name\)="[^"]*"' "$1" | sed 's/.*"\([^"]*\)"/\1/'
}

# "line<TAB>target" of each link, image and reference, code spans left out.
links() {
	prose "$1" | awk -F '\t' '{
		line = $1; s = substr($0, length($1) + 2); gsub(/`[^`]*`/, "", s)
		if (match(s, /^\[[^]]+\]: +[^ ]+/)) { t = substr(s, RSTART, RLENGTH); sub(/^\[[^]]+\]: +/, "", t); print line "\t" t }
		while (match(s, /\]\([^) ]*[^)]*\)/)) {
			t = substr(s, RSTART + 2, RLENGTH - 3); sub(/ .*/, "", t); print line "\t" t
			s = substr(s, RSTART + RLENGTH)
		}
		while (match(s, /(src|href)="[^"]*"/)) {
			t = substr(s, RSTART, RLENGTH); gsub(/^[a-z]*="|"$/, "", t); print line "\t" t
			s = substr(s, RSTART + RLENGTH)
		}
	}'
}

found=$(for f in "$@"; do
	links "$f" | while IFS='	' read -r line target; do
		case $target in
		http://* | https://* | mailto:*) continue ;;
		esac
		echo checked
		path=${target%%#*} anchor=${target#"${target%%#*}"}
		to=$f
		[ -z "$path" ] || to=$(dirname "$f")/$path
		if [ ! -e "$to" ]; then
			echo "$f:$line: no file $path"
		elif [ -n "$anchor" ] && ! anchors "$to" | grep -qxF -- "${anchor#\#}"; then
			echo "$f:$line: no heading $anchor in $to"
		fi
	done
done)
broken=$(printf '%s\n' "$found" | grep -vx checked)
[ -z "$broken" ] || {
	printf '%s\n' "$broken"
	exit 1
}
echo "links: $(printf '%s\n' "$found" | grep -cx checked) checked"
