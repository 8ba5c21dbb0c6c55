"""The links of a tRPC client while they are rearranged: where an HTTP link comes from, what becomes of the files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrations.discovery.imports import ImportChanges, find_import, imports_of
from migrations.discovery.trpc_client import Place, declaration_of, definition_of, unwrapped
from migrations.engine.syntax import find_all, text_of
from migrations.transforms.link_address import holds_in_browsers, own_path
from migrations.transforms.links_model import Link, LinkReader, Refusal, argument_of
from migrations.transforms.links_sweep import FileWork, Sweep
from migrations.transforms.links_text import (
    CommentedLink,
    Look,
    Options,
    as_constant,
    commented_links,
    names_in,
    options_of,
    statement_before,
    type_arguments,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.engine import AppView, Edits, SourceFile

_PACKAGES = ("@trpc/client", "@trpc/react-query")
_GLOBALS = re.compile(
    "(?:Headers|URL|URLSearchParams|Request|Response|RequestInit|AbortController|Promise|Object|Array|String|Number|"
    "Boolean|JSON|Math|Date|Error|Record|Map|Set|console|document|fetch|globalThis|localStorage|sessionStorage|"
    "location|navigator|process|window|undefined|btoa|crypto|parseInt|encodeURIComponent)"
)


@dataclass(frozen=True)
class Shared:
    """What a link for subscriptions has in common with the HTTP link: members in the words of the app, or the name of
    an object.
    """

    members: tuple[str, ...] = ()
    name: str = ""


@dataclass(frozen=True)
class HttpText:
    """An HTTP link that comes to another place: its whole text, and what a link for subscriptions shares with it."""

    text: str
    shared: Shared


class LinksWork:
    """What every rearrangement of links does. `gone` are the live wsLinks and httpSubscriptionLinks that it took."""

    built_function = "httpBatchStreamLink"
    sweeps_states = False

    def __init__(self, view: AppView, layout: Layout, edits: Edits) -> None:
        self.reader = LinkReader(view, layout)
        self.gone: list[Link] = []
        self._view = view
        self._layout = layout
        self._edits = edits
        self._files: dict[str, FileWork] = {}
        self._seen: set[tuple[str, int, int]] = set()
        # Functions that got a name: (file, start, end) of the member that was one, and what it is now.
        self._named: dict[tuple[int, int, int], tuple[SourceFile, str, bool]] = {}

    def _shared(
        self,
        at: Place,
        call: Place,
        replaced: Link | Iterable[Link] | None,
        left_out: Iterable[str] = (),
        swapped: dict[str, str] | None = None,
    ) -> Shared:
        """What a link for subscriptions takes over from an HTTP link; nothing, where there will be none."""
        del at, call, replaced, left_out, swapped
        return Shared()

    # --- where the HTTP link comes from

    def _http_for(self, link: Link, sub: Link | None, server_http: Link | None) -> HttpText:
        """The HTTP link for queries and mutations of a client that sends them over its WebSocket."""
        at = link.place if link.kind == "ws" else link.call
        if sub is not None and sub.kind == "http":
            http = HttpText("", self._shared(at, sub.call, self._ws_of(link)))
            return HttpText(self._moved(sub.place), http.shared)
        if sub is not None and any(leaf.kind == "http" for leaf in sub.leaves()):
            raise Refusal("it is not known how this link carries subscriptions", sub.place)
        if server_http is not None:
            return self._browsers_own(at, server_http, link)
        commented = self._commented(at, link)
        if commented is not None:
            work = self._work(at.file)
            arguments = commented.call.node.child_by_field_name("arguments")
            if arguments is not None:
                self._check_names(at, Place(commented.call.file, arguments))
            shared = self._shared(at, commented.call, self._ws_of(link))
            self._import_http(work, commented.call)
            self._take_comment(work, commented)
            return HttpText(self._moved(commented.call), shared)
        return self._built(at, link, sub)

    def _take_comment(self, work: FileWork, commented: CommentedLink) -> None:
        """Take the comment away whose link is live now."""
        work.edit.replace(commented.start, commented.end, "")

    def _browsers_own(self, at: Place, server_http: Link, link: Link) -> HttpText:
        """An HTTP link for the browser, made after the one that stands there for the server."""
        call = server_http.http_leaf().call
        options = self._options(at, call)
        if options.name:
            return HttpText(self._moved(server_http.place), self._shared(at, call, None))
        url = options["url"]
        if url is None or url.value is None:
            raise Refusal("the HTTP link has no url that can be read", call)
        left_out = {"headers"} if self._is_of_the_request(options) else set()
        address = self._browser_url(at, Place(call.file, url.value))
        swapped = {"url": f"url: {address}"} if address != text_of(url.value) else {}
        shared = self._shared(at, call, self._ws_of(link), left_out, swapped)
        members = []
        for option in options.members:
            if option.key not in left_out:
                text = swapped.get(option.key) or self._member_text(call, option.node, option.text)
                members.append(text)
        function = call.node.child_by_field_name("function")
        name = (text_of(function) if function is not None else "") + type_arguments(call.node)
        work = self._work(at.file)
        return HttpText(work.look.object_call(name, members, ""), shared)

    def _built(self, at: Place, link: Link, sub: Link | None) -> HttpText:
        """A new HTTP link, at the address that the app has for its API."""
        work = self._work(at.file)
        helper = self._base_url_helper(at)
        given = [leaf for leaf in (sub.leaves() if sub is not None else ()) if leaf.kind == "sse"]
        options = options_of(given[0].call) if given else None
        url = options["url"] if options is not None else None
        if url is not None:
            address = url.text
        elif helper:
            address = f"url: `${{{helper}()}}/api/trpc`"
        else:
            raise Refusal(
                "there is no HTTP link for queries and mutations, not even commented out",
                at,
                "put an httpBatchStreamLink for them beside it, then run this again",
            )
        transformer = next(
            (
                option.text
                for leaf in (*given, *self._ws_of(link))
                if (known := options_of(leaf.call)) is not None and (option := known["transformer"]) is not None
            ),
            None,
        )
        members = ([transformer] if transformer else []) + [address]
        name = self._import(work, self._package(work.file), self.built_function)
        return HttpText(work.look.object_call(name, members, ""), Shared(tuple(members)))

    def _commented(self, at: Place, link: Link) -> CommentedLink | None:
        """The HTTP link that is commented out nearest to a link: in it, in its list, in its file."""
        scope: Node | None = link.call.node if link.kind == "split" else at.node.parent
        while scope is not None:
            found = commented_links(at.file, scope, self._work(at.file).look)
            if found:
                if len({re.sub(r"\s+", "", text_of(one.call.node)) for one in found}) > 1:
                    places = ", ".join(str(at.file.line_of(one.start)) for one in found)
                    raise Refusal(
                        f"several HTTP links are commented out (lines {places})",
                        at,
                        "leave one of them, then run this again",
                    )
                return found[0]
            scope = scope.parent
        return None

    def _base_url_helper(self, at: Place) -> str:
        for name in ("getBaseUrl", "getBaseURL", "baseUrl"):
            declared = declaration_of(at.node, name)
            if declared is not None and declared.type == "variable_declarator":
                value = declared.child_by_field_name("value")
                if value is not None and value.type in ("arrow_function", "function_expression"):
                    return name
            elif (declared is not None and declared.type == "function_declaration") or find_import(at.file, name):
                return name
        return ""

    # --- options

    def _options(self, at: Place, call: Place) -> Options:
        options = options_of(call)
        if options is None:
            raise Refusal("the options of this link cannot be read", call)
        if call.file is not at.file and call.file.path != at.file.path:
            raise Refusal(f"the options of this link stand in another file, {call.file.path}:{call.line}", at)
        return options

    def _keys(self, call: Place) -> set[str] | None:
        """The keys of a link's options, those of objects that are spread or named included."""
        given = argument_of(call.node)
        todo = [Place(call.file, given)] if given is not None else []
        keys: set[str] = set()
        while todo:
            place = todo.pop()
            node = unwrapped(place.node)
            if node.type == "identifier":
                known = definition_of(self._view, self._layout, Place(place.file, node))
                if known is None or known.node.type != "object":
                    return None
                todo.append(known)
            elif node.type == "object":
                for member in node.named_children:
                    if member.type == "spread_element":
                        todo.append(Place(place.file, member.named_children[0]))
                    elif member.type != "comment":
                        key = member.child_by_field_name("key") or member.child_by_field_name("name") or member
                        keys.add(text_of(key).strip("\"'"))
            else:
                return None
        return keys

    def _name(self, at: Place, call: Place, key: str, member: Node, value: Node) -> None:
        """Give a long function a name of its own, so that two links can share it."""
        where = (id(call.file), member.start_byte, member.end_byte)
        if where in self._named:
            return
        work = self._work(at.file)
        words = set(re.findall(r"[\w$]+", at.file.text)) | set(re.findall(r"[\w$]+", " ".join(work.written)))
        stem = key[0].upper() + key[1:]
        name = next(n for n in (f"get{stem}", f"getLink{stem}", f"getRelay{stem}", f"getTrpc{stem}") if n not in words)
        is_outermost = not self._has_locals(at, Place(call.file, value))
        users = [at.node, call.node] if call.file is at.file else [at.node]
        node = statement_before(users, is_outermost=is_outermost)
        start = work.file.line_start(node.start_byte)
        base = work.file.indentation_of(node.start_byte)
        style = work.look.style
        text = f"{base}const {name} = {work.look.rebased(as_constant(value), base)}{';' if style.semicolons else ''}"
        text += style.newline * 2
        work.written.append(text)
        work.edit.insert(start, text)
        self._named[where] = (call.file, f"{key}: {name}", False)

    def _has_locals(self, at: Place, value: Place) -> bool:
        """Whether a function uses what only exists inside the functions around `at`."""
        for node in names_in(value.node):
            own = declaration_of(node, text_of(node))
            if own is not None and value.node.start_byte <= own.start_byte < value.node.end_byte:
                continue
            declared = declaration_of(at.node, text_of(node))
            scope = declared.parent if declared is not None else None
            while scope is not None and scope.type in (
                "lexical_declaration",
                "variable_declaration",
                "export_statement",
            ):
                scope = scope.parent
            if scope is not None and scope.type != "program":
                return True
        return False

    def _check_names(self, at: Place, value: Place) -> None:
        """That what a value uses is the same thing where the value is written a second time."""
        for node in names_in(value.node):
            name = text_of(node)
            own = declaration_of(node, name)
            if own is not None and value.node.start_byte <= own.start_byte < value.node.end_byte:
                continue
            there = declaration_of(at.node, name)
            if value.file is at.file:
                if own != there:
                    raise Refusal(f"{name} is not the same at the links that need it", value)
            elif there is None and find_import(at.file, name) is None and not _GLOBALS.fullmatch(name):
                line = at.file.line_of(at.node.start_byte)
                raise Refusal(
                    f"the HTTP link that is commented out needs {name}, which is not there",
                    Place(at.file, at.node),
                    f"put {name} there (line {line}), then run this again",
                )

    def _member_text(self, call: Place, node: Node | None, text: str) -> str:
        if node is None:
            return text
        named = self._named.get((id(call.file), node.start_byte, node.end_byte))
        return text if named is None else named[1]

    def _moved(self, place: Place) -> str:
        """The text of a link that goes elsewhere, with the names that its functions were given."""
        data = bytearray(text_of(place.node).encode())
        first = place.node.start_byte
        for (_, start, end), (file, text, _) in sorted(self._named.items(), key=lambda item: -item[0][1]):
            if file is place.file and first <= start and end <= place.node.end_byte:
                data[start - first : end - first] = text.encode()
                self._named[(id(file), start, end)] = (file, text, True)
        return data.decode()

    def _is_of_the_request(self, options: Options) -> bool:
        """Whether the headers are nothing but those of the request that a page is rendered for on the server."""
        option = options["headers"]
        value = option.value if option is not None else None
        if value is None:
            return False
        body = value.child_by_field_name("body")
        returned = list(find_all(body, "return_statement")) if body is not None else []
        texts = [re.sub(r"^return|[;\s]", "", text_of(node)) for node in returned]
        return bool(texts) and all(text == "{}" or re.search(r"\bctx\??\.req\b", text) for text in texts)

    def _browser_url(self, at: Place, url: Place) -> str:
        """An address that also holds in the browser: the one given, or the path of the app's own handler."""
        text = text_of(url.node)
        if not holds_in_browsers(self._view, self._layout, url):
            path = own_path(self._view, self._layout, url)
            if path is not None:
                quote = self._work(at.file).look.style.quote
                return f"{quote}{path}{quote}"
            if "NEXT_PUBLIC_" not in text:
                raise Refusal("this address of the HTTP link is only right on the server", url)
        self._check_names(at, url)
        return text

    # --- files

    def finish(self) -> None:
        """Write what is left to write in every file: names given in place, what nothing uses any more, imports."""
        for file, text, is_done in list(self._named.values()):
            del text, is_done
            if file.path in self._files and self._files[file.path].file is file:
                work = self._files[file.path]
                for (_, start, end), (other, now, moved) in self._named.items():
                    if other is file and not moved:
                        work.edit.replace(start, end, now)
        for work in self._files.values():
            Sweep(self._view, self._layout, work, states=self.sweeps_states).run()
            work.imports.apply(work.edit)

    def _go(self, link: Link) -> None:
        """Count a link as gone from its place."""
        work = self._work(link.place.file)
        node = link.place.node
        work.removed.append((node.start_byte, node.end_byte))
        self.gone += [leaf for leaf in link.leaves() if leaf.kind in ("ws", "sse")]

    def _ws_of(self, link: Link) -> list[Link]:
        return [leaf for leaf in link.leaves() if leaf.kind == "ws"]

    def _condition(self, link: Link) -> Place:
        return Place(link.call.file, link.condition) if link.condition is not None else link.call

    def _work(self, file: SourceFile) -> FileWork:
        if file.path not in self._files:
            self._files[file.path] = FileWork(
                file, self._edits.source(file.path), ImportChanges(file), Look.of(file, self._view)
            )
        return self._files[file.path]

    def _package(self, file: SourceFile) -> str:
        """Where the file takes tRPC's links from."""
        found = [statement.specifier for statement in imports_of(file) if statement.specifier in _PACKAGES]
        return _PACKAGES[0] if _PACKAGES[0] in found or not found else found[0]

    def _import(self, work: FileWork, specifier: str, name: str) -> str:
        """The name under which the file has a function, importing it if need be."""
        for statement in imports_of(work.file):
            for known in statement.names:
                if known.imported == name and not (statement.type_only or known.type_only):
                    return known.local
        work.add_import(specifier, name)
        return name

    def _import_http(self, work: FileWork, call: Place) -> None:
        function = call.node.child_by_field_name("function")
        name = text_of(function) if function is not None else ""
        if find_import(work.file, name) is None:
            work.add_import(self._package(work.file), name)
