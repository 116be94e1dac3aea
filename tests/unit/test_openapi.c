/* test_openapi.c: the description of the API tells every row of the route table, and no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "api/api.h"
#include "base/limits.h"
#include "route/route.h"
#include "store/account.h"

#include <stdio.h>
#include <strings.h>

static js doc;

static int load(void **state)
{
    struct resp resp;
    struct err err;
    (void)state;
    resp_init(&resp);
    api_openapi(NULL, NULL, NULL, &resp);
    assert_string_equal(resp.content_type, "application/json");
    assert_int_equal(js_parse(buf_bytes(&resp.body), &doc, &err), OK);
    resp_free(&resp);
    return 0;
}

static const struct {
    const char *name;
    int bit;
} methods[] = {{"get", METHOD_GET},
               {"put", METHOD_PUT},
               {"post", METHOD_POST},
               {"delete", METHOD_DELETE},
               {"patch", METHOD_PATCH}};

static bool of_api(const struct route *r)
{
    return (r->programs & PROGRAM_CONSOLE) &&
           (strncmp(r->path, "/v1/", 4) == 0 || strncmp(r->path, "/api/", 5) == 0 ||
            strcmp(r->path, "/version") == 0 || strcmp(r->path, "/migration") == 0);
}

/* "/v1/queue/{id}/{uuid}" is served by "/v1/queue/" and a star, "/v1/push" by itself. */
static bool serves(const struct route *r, const char *path, int bit)
{
    size_t n = strlen(r->path), fixed = strcspn(path, "{");
    if (!of_api(r) || !(r->methods & bit))
        return false;
    if (r->path[n - 1] == '*')
        return path[fixed] == '{' && fixed == n - 1 && strncmp(r->path, path, fixed) == 0;
    return strcmp(r->path, path) == 0;
}

static const char *scope_of(js op)
{
    const char *s = js_get_str(op, "x-scope");
    return s != NULL ? s : "";
}

struct walk {
    const char *path;
    size_t ops;
};

static bool is_word(const char *words, const char *s)
{
    size_t n = strlen(s);
    for (const char *p = words; (p = strstr(p, s)); p += n)
        if ((p == words || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
            return true;
    return false;
}

/* What an operation takes, its row takes. NanoMDM's own rows take anything. */
static void check_query(const struct route *row, js op)
{
    js list = js_get(op, "parameters");
    for (size_t i = 0; js_type_of(list) == JS_ARRAY && i < js_size(list); i++) {
        const char *name = js_get_str(js_at(list, i), "name");
        if (strcmp(js_get_str(js_at(list, i), "in"), "query") != 0)
            continue;
        if (!row->query && strncmp(row->path, "/v1/push", 8) != 0 &&
            strcmp(row->path, "/v1/enqueue/*") != 0)
            fail_msg("%s takes any parameter", row->path);
        if (row->query && !is_word(row->query, name))
            fail_msg("%s does not take %s", row->path, name);
    }
}

static bool check_op(const char *name, js op, void *arg)
{
    struct walk *w = arg;
    int bit = 0;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strcmp(methods[i].name, name) == 0)
            bit = methods[i].bit;
    if (bit == 0)
        fail_msg("%s: unknown method %s", w->path, name);
    for (size_t i = 0; i < routes_n; i++)
        if (serves(&routes[i], w->path, bit)) {
            assert_string_equal(routes[i].scope ? routes[i].scope : "", scope_of(op));
            assert_int_equal(routes[i].gate == GATE_OPEN,
                             js_type_of(js_get(op, "security")) == JS_ARRAY);
            if (routes[i].types)
                assert_non_null(
                    js_get(js_get(js_get(op, "requestBody"), "content"), routes[i].types));
            check_query(&routes[i], op);
            w->ops++;
            return true;
        }
    fail_msg("no row serves %s %s", name, w->path);
    return false;
}

static bool check_path(const char *path, js ops, void *arg)
{
    struct walk *w = arg;
    w->path = path;
    js_each(ops, check_op, w);
    return true;
}

static bool scope_known(const char *word)
{
    for (size_t i = 0; apikey_scopes[i]; i++)
        if (strcmp(apikey_scopes[i], word) == 0)
            return true;
    return false;
}

/* What the console offers for a new key is what the rows ask for, and what orders ask for besides.
 */
static void scopes_are_those_of_the_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < routes_n; i++)
        if (routes[i].gate == GATE_API && routes[i].scope && !scope_known(routes[i].scope))
            fail_msg("%s: the scope %s is not offered", routes[i].path, routes[i].scope);
    for (size_t i = 0; apikey_scopes[i]; i++) {
        bool asked = strcmp(apikey_scopes[i], "sensitive") == 0;
        for (size_t k = 0; k < routes_n && !asked; k++)
            asked = routes[k].gate == GATE_API && routes[k].scope &&
                    strcmp(routes[k].scope, apikey_scopes[i]) == 0;
        if (!asked)
            fail_msg("no row asks for the scope %s", apikey_scopes[i]);
    }
}

static void each_operation_has_a_row(void **state)
{
    struct walk w = {0};
    (void)state;
    js_each(js_get(doc, "paths"), check_path, &w);
    assert_true(w.ops >= 18);
}

struct look {
    const struct route *row;
    int bit;
    const char *parameter; /* NULL: the operation itself */
    bool found;
};

static bool takes(js op, const char *parameter)
{
    js list = js_get(op, "parameters");
    for (size_t i = 0; js_type_of(list) == JS_ARRAY && i < js_size(list); i++)
        if (strcmp(js_get_str(js_at(list, i), "in"), "query") == 0 &&
            strcmp(js_get_str(js_at(list, i), "name"), parameter) == 0)
            return true;
    return false;
}

static bool look_at(const char *path, js ops, void *arg)
{
    struct look *l = arg;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        js op = methods[i].bit == l->bit ? js_get(ops, methods[i].name) : NULL;
        if (op && serves(l->row, path, l->bit) && (!l->parameter || takes(op, l->parameter)))
            l->found = true;
    }
    return !l->found;
}

static bool documented(const struct route *row, int bit, const char *parameter)
{
    struct look l = {row, bit, parameter, false};
    js_each(js_get(doc, "paths"), look_at, &l);
    return l.found;
}

static void each_row_is_described(void **state)
{
    (void)state;
    for (size_t i = 0; i < routes_n; i++) {
        bool any = false;
        if (!of_api(&routes[i]))
            continue;
        for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
            bool there = (routes[i].methods & methods[m].bit) &&
                         documented(&routes[i], methods[m].bit, NULL);
            any |= there;
            if ((routes[i].methods & methods[m].bit) && !there && routes[i].methods != METHOD_ANY)
                fail_msg("%s %s is not described", methods[m].name, routes[i].path);
        }
        if (!any)
            fail_msg("%s is not described", routes[i].path);
    }
}

static void each_parameter_is_described(void **state)
{
    size_t n = 0;
    (void)state;
    for (size_t i = 0; i < routes_n; i++)
        for (const char *p = routes[i].query; p && *p; p += strspn(p, " ")) {
            char word[64];
            size_t len = strcspn(p, " ");
            snprintf(word, sizeof word, "%.*s", (int)len, p);
            if (!documented(&routes[i], routes[i].methods, word))
                fail_msg("%s: the parameter %s is not described", routes[i].path, word);
            p += len;
            n++;
        }
    assert_true(n > 100);
}

/* Every reference leads somewhere. */
static size_t check_refs(js v);
static bool check_member(const char *key, js value, void *arg)
{
    size_t *n = arg;
    static const char prefix[] = "#/components/schemas/";
    if (strcmp(key, "$ref") == 0) {
        assert_int_equal(strncmp(js_str(value), prefix, sizeof prefix - 1), 0);
        assert_non_null(js_get(js_get(js_get(doc, "components"), "schemas"),
                               js_str(value) + sizeof prefix - 1));
        ++*n;
    }
    *n += check_refs(value);
    return true;
}
static size_t check_refs(js v)
{
    size_t n = 0;
    if (js_type_of(v) == JS_OBJECT)
        js_each(v, check_member, &n);
    for (size_t i = 0; js_type_of(v) == JS_ARRAY && i < js_size(v); i++)
        n += check_refs(js_at(v, i));
    return n;
}

static void references_lead_somewhere(void **state)
{
    (void)state;
    assert_string_equal(js_get_str(doc, "openapi"), "3.1.0");
    assert_true(check_refs(doc) > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scopes_are_those_of_the_rows),
        cmocka_unit_test(each_operation_has_a_row),
        cmocka_unit_test(each_row_is_described),
        cmocka_unit_test(each_parameter_is_described),
        cmocka_unit_test(references_lead_somewhere),
    };
    return cmocka_run_group_tests(tests, load, NULL);
}
