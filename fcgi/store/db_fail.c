/* db_fail.c: what the error numbers of MariaDB and its library mean to Drover. */
#include "store/db_int.h"

#include <errmsg.h>
#include <mysqld_error.h>

/* Numbers this library's headers do not all name. */
#define ER_WSREP_NOT_READY 1047 /* ER_UNKNOWN_COM_ERROR: a Galera node outside its cluster */
#define ER_CHECK_FAILED 4025
#define ER_CHECK_FAILED_MYSQL 3819
#define ER_IDLE_CLOSED 4031

enum fail db_fail_of(unsigned code)
{
    switch (code) {
    case ER_DUP_ENTRY:
    case ER_DUP_ENTRY_WITH_KEY_NAME:
    case ER_DUP_KEY:
    case ER_TABLE_EXISTS_ERROR:
    case ER_DUP_FIELDNAME:
    case ER_DUP_KEYNAME:
    case ER_DUP_CONSTRAINT_NAME:
    case ER_TRG_ALREADY_EXISTS:
        return FAIL_CONFLICT;
    case ER_CANT_DROP_FIELD_OR_KEY:
    case ER_BAD_TABLE_ERROR:
    case ER_TRG_DOES_NOT_EXIST:
    case ER_NONEXISTING_GRANT:
    case ER_NONEXISTING_TABLE_GRANT:
        return FAIL_MISSING;
    case ER_NO_REFERENCED_ROW:
    case ER_NO_REFERENCED_ROW_2:
    case ER_ROW_IS_REFERENCED:
    case ER_ROW_IS_REFERENCED_2:
    case ER_CHECK_FAILED:
    case ER_CHECK_FAILED_MYSQL:
    case ER_DATA_TOO_LONG:
    case ER_WARN_DATA_OUT_OF_RANGE:
    case ER_DATA_OUT_OF_RANGE:
    case WARN_DATA_TRUNCATED:
    case ER_TRUNCATED_WRONG_VALUE:
    case ER_TRUNCATED_WRONG_VALUE_FOR_FIELD:
    case ER_BAD_NULL_ERROR:
    case ER_NO_DEFAULT_FOR_FIELD:
    case ER_CANT_AGGREGATE_2COLLATIONS: /* a text that cannot stand in a column of ASCII */
    case ER_INVALID_CHARACTER_STRING:
        return FAIL_INVALID;
    case CR_CONNECTION_ERROR:
    case CR_CONN_HOST_ERROR:
    case CR_UNKNOWN_HOST:
    case CR_SERVER_GONE_ERROR:
    case CR_SERVER_LOST:
    case CR_SERVER_LOST_EXTENDED:
    case CR_SSL_CONNECTION_ERROR:
    case CR_MALFORMED_PACKET:
    case CR_COMMANDS_OUT_OF_SYNC:
    case ER_WSREP_NOT_READY:
    case ER_SERVER_SHUTDOWN:
    case ER_NORMAL_SHUTDOWN:
    case ER_CONNECTION_KILLED:
    case ER_NEW_ABORTING_CONNECTION:
    case ER_ABORTING_CONNECTION:
    case ER_NET_PACKET_TOO_LARGE:
    case ER_NET_READ_ERROR_FROM_PIPE:
    case ER_NET_FCNTL_ERROR:
    case ER_NET_PACKETS_OUT_OF_ORDER:
    case ER_NET_UNCOMPRESS_ERROR:
    case ER_NET_READ_ERROR:
    case ER_NET_READ_INTERRUPTED:
    case ER_NET_ERROR_ON_WRITE:
    case ER_NET_WRITE_INTERRUPTED:
    case ER_HOST_IS_BLOCKED:
    case ER_IDLE_CLOSED:
    case ER_OPTION_PREVENTS_STATEMENT: /* read_only: this host is a replica now */
    case ER_READ_ONLY_MODE:
        return FAIL_LOST;
    case ER_LOCK_DEADLOCK:
    case ER_LOCK_WAIT_TIMEOUT:
    case ER_CHECKREAD:
    case ER_ERROR_DURING_COMMIT:
    case ER_QUERY_INTERRUPTED:
    case ER_TOO_MANY_CONCURRENT_TRXS:
        return FAIL_AGAIN;
    case ER_CON_COUNT_ERROR:
    case ER_TOO_MANY_USER_CONNECTIONS:
    case ER_USER_LIMIT_REACHED:
    case ER_STATEMENT_TIMEOUT:
    case ER_DISK_FULL:
    case ER_RECORD_FILE_FULL:
    case ER_ERROR_ON_WRITE:
    case ER_OUTOFMEMORY:
    case ER_OUT_OF_RESOURCES:
        return FAIL_AWAY;
    case ER_NEED_REPREPARE:
    case ER_UNKNOWN_STMT_HANDLER:
    case ER_MAX_PREPARED_STMT_COUNT_REACHED:
    case CR_NEW_STMT_METADATA:
        return FAIL_STALE;
    default:
        return FAIL_OTHER;
    }
}

bool db_fail_of_host(unsigned code)
{
    return code == ER_OPTION_PREVENTS_STATEMENT || code == ER_READ_ONLY_MODE ||
           code == ER_WSREP_NOT_READY;
}

bool db_fail_of_lock(unsigned code)
{
    return code == ER_LOCK_WAIT_TIMEOUT;
}

static enum outcome fail_outcome(enum fail f)
{
    switch (f) {
    case FAIL_CONFLICT:
        return CONFLICT;
    case FAIL_MISSING:
        return NOT_FOUND;
    case FAIL_INVALID:
        return INVALID;
    case FAIL_LOST:
    case FAIL_AGAIN:
    case FAIL_AWAY:
        return UNAVAILABLE;
    case FAIL_OTHER:
    case FAIL_STALE:
        break;
    }
    return ERROR;
}

static const char *fail_advice(unsigned code)
{
    switch (code) {
    case ER_NO_SUCH_TABLE:
    case ER_BAD_FIELD_ERROR:
        return "; is the schema current? See droverctl migrate";
    case ER_TABLEACCESS_DENIED_ERROR:
    case ER_COLUMNACCESS_DENIED_ERROR:
    case ER_DBACCESS_DENIED_ERROR:
        return "; does the account have its rights? See droverctl grants";
    case ER_MAX_PREPARED_STMT_COUNT_REACHED:
        return "; raise max_prepared_stmt_count of the server";
    default:
        return "";
    }
}

enum outcome db_fail_report(const char *name, unsigned code, const char *msg, bool secret,
                            struct err *err)
{
    return err_set(err, fail_outcome(db_fail_of(code)), "%s: database error %u: %s%s", name, code,
                   secret ? "(not shown)" : msg, fail_advice(code));
}
