"""Small trees, each with exactly the fault its rule is for, and one tree without fault.

BAD: {rule name: [(files, how many findings)]}. The words a rule forbids are put together here from
halves, so that this file passes the rules itself.
"""

FLOORS = """
weir_room(base LIBRARIES fmt::fmt)
weir_room(net DEPENDS base LIBRARIES OpenSSL::SSL)
weir_room(dialect DEPENDS base)
weir_room(store DEPENDS base)
weir_room(http DEPENDS base net)
weir_room(ledger DEPENDS base dialect)
"""

HEADER = "// Values that a test needs: no thread, no limits.\n#pragma once\n"


def tree(**files):
    """src__base__a_h="..." -> {"src/base/a.h": "..."}; the floors come along."""
    named = {"src/CMakeLists.txt": FLOORS}
    for name, text in files.items():
        path, _, suffix = name.replace("__", "/").rpartition("_")
        named[f"{path}.{suffix}"] = text
    return named


def with_files(files):
    return {"src/CMakeLists.txt": FLOORS} | files


GOOD = with_files({
    "README.md": "# Top\n\n## A part\n\n[self](#a-part) [code](src/base/a.h) `[no](link)`\n"
                 "\n```\n[not](a-link)\n```\n[site](https://example.com/work/x)\n",
    "docs/page.md": "[up](../README.md#a-part) [folder](../src)\n",
    "src/base/a.h": HEADER + "\nnamespace weir {\n\nint answer();\n\n}  // namespace weir\n",
    "src/base/money.h": HEADER + "\n// Never a double.\nint nano_dollars();\n",
    "src/base/a_test.cc": '#include <fstream>\n\n#include "base/files.h"\n',
    "src/base/a_fuzz.cc": "int x;\n",
    "fuzz/corpus/a_fuzz/typical": "{}",
    "src/base/files.h": HEADER + "\n#include <fstream>\n",
    "src/http/b.cc": '#include "http/b.h"\n\n#include <vector>\n\n'
                     '#include "base/a.h"\n#include "net/loop.h"\n',
    "src/net/real_test.cc": "// Sleeps: real time is the subject.\nus" + "leep(1);\n",
    "src/net/loop.cc": "#include <openssl/ssl.h>\n#include <sys/epoll.h>\n",
    "tests/integration/server_test.cc": "#include <sqlite3.h>\n",
    "tools/x.sh": "#!/usr/bin/env bash\nset -euo pipefail\nd=$root/work/x\n",
    "web/package-lock.json": '{"packages": {"a": {"resolved": '
                             '"https://registry.npmjs.org/a/-/a-1.tgz"}}}\n',
})

BAD = {
    "floors_are_declared_in_order": [
        ({"src/CMakeLists.txt": "weir_room(net DEPENDS base)\nweir_room(base)\n"}, 1),
        ({"src/CMakeLists.txt": "# weir_room(base)\n"}, 1),
        (tree(src__garage__a_cc="int x;\n"), 1),
    ],
    "rooms_include_only_lower_rooms": [
        (tree(src__net__a_cc='#include "http/b.h"\n'), 1),
        (tree(src__net__a_cc='#include "dialect/b.h"\n'), 1),
        (tree(src__base__a_cc='#include "a.h"\n#  include "../net/b.h"\n'), 2),
    ],
    "third_party_headers_stay_home": [
        (tree(src__gateway__a_cc="#include <openssl/ssl.h>\n#include <sys/epoll.h>\n"), 2),
        (tree(src__net__a_cc="#include <sqlite3.h>\n#include <zstd.h>\n"), 2),
        (tree(src__net__a_cc="#include <boost/asio.hpp>\n#include <asio.hpp>\n"), 2),
        (tree(src__base__a_cc="#include <nlohmann/json.hpp>\n#include <regex>\n"), 2),
        (tree(src__http__a_cc="#include <ares.h>\n#include <yaml-cpp/yaml.h>\n"), 2),
        ({"tests/integration/a_test.cc": "#include <regex>\n"}, 1),
    ],
    "pure_rooms_have_no_io": [
        (tree(src__dialect__a_cc="#include <sys/socket.h>\n#include <thread>\n"), 2),
        (tree(src__base__a_cc="#include <fstream>\n"), 1),
        (with_files({"src/base/a.h": "#include <fstream>\n",
                     "src/base/a.cc": '#include "base/a.h"\n',
                     "src/base/a_test.cc": '#include "base/a.h"\n',
                     "src/base/b.cc": '#include "base/a.h"\n'}), 1),
    ],
    "files_are_short": [
        (tree(src__base__a_cc="int x;\n" * 601), 1),
        ({"tools/long": "#!/bin/sh\n" + "true\n" * 600}, 1),
    ],
    "lines_are_short": [
        (tree(src__base__a_cc="// " + "x" * 98 + "\n"), 1),
        (tree(src__base__a_cc='auto x = R"(a)" "' + "x" * 98 + '";\nauto y = R"(a\n'
                              + "x" * 101 + "\n)\";\n// " + "x" * 98 + "\n"), 1),
        ({"tools/wide.py": "x = '" + "\u00e9" * 95 + "'\n"}, 1),
    ],
    "text_is_clean": [
        (tree(src__base__a_cc="int x; \n"), 1),
        (tree(src__base__a_cc="\tint x;\n"), 1),
        ({"docs/a.md": "no end"}, 1),
    ],
    "nothing_is_promised": [
        (tree(src__base__a_cc="// TO" + "DO: later\n// FIX" + "ME\n"), 2),
        ({"docs/a.md": "XX" + "X write this\n"}, 1),
    ],
    "headers_open_with_their_purpose": [
        (tree(src__base__a_h="#pragma once\n"), 1),
        (tree(src__base__a_h="// What this file owns and its limits.\n#include <a>\n"), 1),
        (tree(src__base__a_h="#ifndef A\n#define A\n#endif\n"), 2),
    ],
    "nothing_names_one_machine": [
        ({"docs/a.md": "see /wo" + "rk/main\n"}, 1),
        ({"a.sh": "cat /ro" + "ot/x\ncat /tmp/bash" + "_jobs.0/y\n"}, 2),
        ({"a.txt": "--index" + "-url https://mirror\n"}, 1),
        ({"package-lock.json": '{"packages": {"a": {"resolved": "http://mirror/a.tgz"}}}'}, 1),
    ],
    "nothing_sleeps": [
        (tree(src__net__a_test_cc="std::this_thread::sleep" + "_for(1s);\n"), 1),
        (tree(src__net__a_cc="us" + "leep(10);\n"), 1),
    ],
    "money_is_never_floating": [
        (tree(src__base__money_h="double dollars();\n"), 1),
        (tree(src__ledger__cost_cc="auto x = static_cast<float>(y);  // double\n"), 1),
    ],
    "fuzz_targets_have_seeds": [
        (tree(src__base__a_fuzz_cc="int x;\n"), 1),
    ],
    "links_resolve": [
        ({"README.md": "[gone](docs/gone.md)\n"}, 1),
        ({"README.md": "# Top\n[no heading](#elsewhere)\n![picture](p.png)\n"}, 2),
        ({"docs/a.md": "[out](../../x.md)\n"}, 1),
    ],
    "scripts_stop_at_errors": [
        ({"tools/a": "#!/usr/bin/env bash\necho hello\n"}, 1),
    ],
    "sources_are_in_form": [
        (tree(src__base__a_cc="int  x ;\n"), 1),
        (tree(src__base__a_cc="int* x;\n", src__base__b_cc="int *x;\n"), 1),
    ],
}
