/* Foreign text made fit for an error message. */
#include "plain_text.h"

void plain_text(const char *in, size_t len, char *out, size_t size)
{
	size_t n = 0, i;

	for (i = 0; i < len && n + 1 < size; i++) {
		unsigned char ch = (unsigned char)in[i];

		if (ch < ' ' || ch == 0x7f)
			ch = ' ';
		if (ch == ' ' && (n == 0 || out[n - 1] == ' '))
			continue;
		out[n++] = (char)ch;
	}
	if (i < len) { /* the end may be half a UTF-8 sequence */
		while (n && ((unsigned char)out[n - 1] & 0xc0) == 0x80)
			n--;
		if (n && (out[n - 1] & 0x80))
			n--;
	}
	while (n && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
}
