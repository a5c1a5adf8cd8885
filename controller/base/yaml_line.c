/* Where in a file a field stands. */
#include <ctype.h>
#include <string.h>

#include "tidegate/base/yaml.h"
#include "tidegate/base/yaml_node.h"

/* Length of the key when the path goes on with it as a whole name, else 0. */
static size_t match_name(const char *path, const struct yaml_node *key)
{
	if (key->kind != YAML_SCALAR || !key->len || strncmp(path, key->text, key->len) != 0)
		return 0;
	return path[key->len] == '\0' || path[key->len] == '.' || path[key->len] == '[' ? key->len
	                                                                                : 0;
}

/* "[name]" as field paths write keys with points in them. */
static size_t match_bracket(const char *path, const struct yaml_node *key)
{
	if (*path != '[' || key->kind != YAML_SCALAR || strncmp(path + 1, key->text, key->len) != 0)
		return 0;
	return path[1 + key->len] == ']' ? key->len + 2 : 0;
}

/* The member the path goes on with; of several ("a" and "a.b") the longest. *len = what it takes.
 */
static const struct yaml_node *find_member(const struct yaml_node *map, const char *path,
                                           size_t *len)
{
	const struct yaml_node *it, *best = NULL;

	*len = 0;
	for (it = map->first; it; it = it->next->next) {
		const struct yaml_node *key = yaml_node_deref(it);
		size_t n = *path == '[' ? match_bracket(path, key) : match_name(path, key);

		if (n > *len) {
			*len = n;
			best = it;
		}
	}
	return best;
}

static const struct yaml_node *find_element(const struct yaml_node *list, const char *path,
                                            size_t *len)
{
	const struct yaml_node *it = list->first;
	size_t i = 0, n = 1;

	if (*path != '[')
		return NULL;
	for (; isdigit((unsigned char)path[n]) && i < YAML_INPUT_MAX; n++)
		i = i * 10 + (size_t)(path[n] - '0');
	if (n == 1 || path[n] != ']')
		return NULL;
	for (; it && i; i--)
		it = it->next;
	*len = n + 1;
	return it;
}

static unsigned line_in(const struct yaml_node *root, const char *path)
{
	const struct yaml_node *n = yaml_node_deref(root), *found;
	unsigned line = n->line;
	size_t len;

	while (*path) {
		if (*path == '.')
			path++;
		if (n->kind == YAML_SCALAR)
			break;
		found = n->kind == YAML_MAPPING ? find_member(n, path, &len)
		                                : find_element(n, path, &len);
		if (!found)
			break;
		line = found->line;
		n = yaml_node_deref(n->kind == YAML_MAPPING ? found->next : found);
		path += len;
	}
	return line;
}

unsigned yaml_line_of(const char *text, size_t len, unsigned doc_line, const char *path)
{
	unsigned line, found = doc_line;
	struct yaml_reader reader;
	struct yaml_node *root;
	struct arena arena;

	if (!yaml_reader_init(&reader, text, len, NULL))
		return doc_line;
	arena_init(&arena, 16384);
	while (yaml_reader_next(&reader, &arena, &root, &line, NULL) > 0) {
		if (line == doc_line) {
			found = line_in(root, path);
			break;
		}
		arena_reset(&arena);
	}
	arena_release(&arena);
	yaml_reader_release(&reader);
	return found;
}
