/* openapi.c: GET /v1/openapi.json: the description in openapi.json, which is part of the program.
 */
#include "api/api.h"

__asm__(".section .rodata\n"
        ".type openapi_text, @object\n"
        "openapi_text:\n"
        ".incbin \"fcgi/api/openapi.json\"\n"
        "openapi_text_end:\n"
        ".byte 0\n"
        ".text\n");
extern const char openapi_text[], openapi_text_end[];

void api_openapi(struct app *app, struct req *req, const struct caller *caller, struct resp *resp)
{
    (void)app, (void)req, (void)caller;
    resp->content_type = "application/json";
    buf_add(&resp->body, openapi_text, (size_t)(openapi_text_end - openapi_text));
}
