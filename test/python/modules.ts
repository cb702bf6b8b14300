/** The modules of Python's test suite that are compared, and how long one may take in a guest. */

/** Seconds under TCG on a busy machine; natively a fifth of it. */
export const DEADLINE = 300;
export const DEADLINES: Record<string, number> = { test_multiprocessing_fork: 900, test_multiprocessing_spawn: 2400, test_multiprocessing_forkserver: 900, test_concurrent_futures: 2400, test_statistics: 1500 };
/** Further options of regrtest, with the reason. */
export const OPTIONS: Record<string, string[]> = {
  // Their servers are on the loopback; regrtest asks for the word "network" all the same.
  test_socketserver: ['-u', 'network'],
};
/** Memory where 512 MiB are not enough. */
export const MEMORY: Record<string, string> = {};

/** test_asyncio is too long for one machine's deadline: by its parts, but for those that are about Windows. */
export const MODULES = `
test_threading test_thread test_threading_local test_threadsignals test_threadedtempfile test_multiprocessing_fork test_multiprocessing_spawn
test_multiprocessing_forkserver test_multiprocessing_main_handling test_subprocess test_signal test_mmap
test_asyncio.test_base_events test_asyncio.test_buffered_proto test_asyncio.test_context test_asyncio.test_events
test_asyncio.test_futures test_asyncio.test_futures2 test_asyncio.test_locks test_asyncio.test_pep492 test_asyncio.test_proactor_events
test_asyncio.test_protocols test_asyncio.test_queues test_asyncio.test_runners test_asyncio.test_selector_events
test_asyncio.test_sendfile test_asyncio.test_server test_asyncio.test_sock_lowlevel test_asyncio.test_ssl test_asyncio.test_sslproto
test_asyncio.test_streams test_asyncio.test_subprocess test_asyncio.test_taskgroups test_asyncio.test_tasks test_asyncio.test_threads
test_asyncio.test_timeouts test_asyncio.test_transports test_asyncio.test_unix_events test_asyncio.test_waitfor
test_concurrent_futures
test_queue test_sched test_posix test_os test_fcntl test_select test_selectors test_epoll test_poll test_eintr test_faulthandler test_fork1
test_wait3 test_wait4 test_popen test_pty test_openpty test_ioctl test_resource test_time test_timeout test_socket test_socketserver
test_shutil test_tempfile test_tarfile test_zipfile test_zipfile64 test_gzip test_lzma test_bz2 test_zlib test_json test_pickle test_io
test_file test_file_eintr test_fileio test_fileinput test_fileutils test_filecmp test_largefile test_pathlib test_posixpath test_genericpath
test_glob test_fnmatch test_stat test_pwd test_grp test_spwd test_random test_secrets test_hashlib test_hmac test_ssl test_ctypes test_gc
test_capi test_embed test_float test_int test_long test_math test_cmath test_decimal test_fractions test_statistics test_datetime
test_zoneinfo test_calendar test_re test_unicode test_unicodedata test_unicode_file test_ucn test_codecs test_locale test__locale
test_c_locale_coercion test_utf8_mode test_import test_importlib test_venv test_ensurepip test_runpy test_cmd_line test_cmd_line_script
test_mailbox test_dbm test_dbm_dumb test_dbm_gnu test_dbm_ndbm test_shelve test_logging test_readline test_rlcompleter test_curses test_sys
test_site test_sysconfig test_platform test_uuid test_getpass test_atexit test_contextlib test_weakref test_collections test_functools
test_itertools test_struct test_array test_memoryview test_bytes test_buffer test_string test_str test_list test_dict test_set test_tuple
test_bool test_enum test_typing test_types test_inspect test_ast test_compile test_compileall test_py_compile test_dis test_exceptions
test_traceback test_tracemalloc test_generators test_coroutines test_asyncgen test_asyncore test_asynchat test_xml_etree test_pyexpat
test_sax test_minidom test_plistlib test_csv test_configparser test_email test_html test_urlparse test_urllib test_ipaddress test_netrc
test_http_cookies test_httplib test_httpservers test_urllib2 test_urllib2_localnet test_docxmlrpc test_smtplib test_ftplib test_xmlrpc test_wsgiref test_crypt test_audit test_doctest test_unittest
test_argparse test_optparse test_shlex test_pdb test_profile test_cprofile test_trace test_repl test_code test_pydoc test_syslog test_sort
test_heapq test_bisect test_copy test_deque test_operator test_textwrap test_difflib test_pprint test_reprlib test_builtin test_grammar
test_class test_descr test_super test_property test_peg_generator test_tools test_regrtest test_support test_script_helper test_zipimport
test_zipapp test_pkgutil test_frozen test_interpreters test__xxsubinterpreters test_finalization test_print test_univnewlines
test_bufio test_memoryio test_ordered_dict test_random test_strptime test_strftime test_timeit test_mimetypes test_gettext test_linecache
test_tokenize test_binascii test_base64 test_ensurepip test_clinic test_distutils test_lib2to3
`
  .split(/\s+/)
  .filter((name, at, all) => name !== '' && all.indexOf(name) === at);
