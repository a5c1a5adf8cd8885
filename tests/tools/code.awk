# Prints C sources as "file:line:code" without comments and without the content of strings and
# character constants. Include lines are kept whole.
FNR == 1 { comment = 0 }
/^[ \t]*#[ \t]*include/ && !comment {
	print FILENAME ":" FNR ":" $0
	next
}
{
	code = ""
	quote = ""
	n = length($0)
	for (i = 1; i <= n; i++) {
		c = substr($0, i, 1)
		two = substr($0, i, 2)
		if (comment) {
			if (two == "*/") {
				comment = 0
				i++
			}
		} else if (quote != "") {
			if (c == "\\")
				i++
			else if (c == quote) {
				code = code c
				quote = ""
			}
		} else if (two == "/*") {
			comment = 1
			i++
		} else if (two == "//") {
			break
		} else {
			if (c == "\"" || c == "'")
				quote = c
			code = code c
		}
	}
	print FILENAME ":" FNR ":" code
}
