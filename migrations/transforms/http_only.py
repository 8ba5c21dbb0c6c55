"""A tRPC client that sent operations over a WebSocket sends them over its HTTP link alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from migrations.discovery.trpc_client import FUNCTIONS, Place, property_of, unwrapped
from migrations.engine.syntax import find_all, text_of
from migrations.transforms.dead_branches import DeadBranch
from migrations.transforms.link_address import holds_in_browsers
from migrations.transforms.links_model import Link, Refusal, argument_of
from migrations.transforms.links_work import LinksWork

if TYPE_CHECKING:
    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.engine import AppView, Edits, SourceFile
    from migrations.transforms.links_sweep import FileWork
    from migrations.transforms.links_text import CommentedLink, Options

BY_HAND = "give this client an HTTP link in place of wsLink by hand, then run this again"

_TELLS_OF_SOCKETS = re.compile(r"\bws\b|web ?-?sockets?|\bsplit|\bsubscriptions?\b", re.IGNORECASE)
# Of a side of a splitLink, why it is the other one.
_TELLS_OF_CHOICE = re.compile(r"\b(condition|true|false|else|otherwise|other|rest|default)\b", re.IGNORECASE)


class HttpOnly(LinksWork):
    """Takes the wsLinks out of lists of links; `asked_http` are those that carried queries and mutations."""

    built_function = "httpBatchLink"  # in every version of tRPC, for every handler

    def __init__(self, view: AppView, layout: Layout, edits: Edits) -> None:
        super().__init__(view, layout, edits)
        self.asked_http: list[Link] = []
        self._replaced: tuple[str, int, int] | None = None

    def settle_list(self, array: Place) -> None:
        """Rearrange one list of links; nothing is edited where it has no wsLink. Raises Refusal."""
        link = self.reader.last_of(array)
        if link is not None:
            self._settle(link, None)

    def _settle(self, link: Link, server_http: Link | None) -> None:
        key = (link.call.file.path, link.call.node.start_byte, link.call.node.end_byte)
        if not any(True for _ in self._ws_of(link)) or key in self._seen:
            return
        self._seen.add(key)
        if link.kind == "ws":
            self._put_http(link, link, None, server_http)
        elif link.kind == "split":
            self._settle_split(link, server_http)
        elif unwrapped(link.call.node).type == "ternary_expression":
            self._settle_ternary(link, server_http)
        elif unwrapped(link.call.node).type == "call_expression":
            self._settle_function(link, server_http)
        else:
            raise Refusal("it is not known what these links do", link.place, BY_HAND)
        self.gone += self._ws_of(link)

    # --- splitLink

    def _settle_split(self, link: Link, server_http: Link | None) -> None:
        if link.routing == "other":
            raise Refusal(
                "the condition of this splitLink is not only about subscriptions", self._condition(link), BY_HAND
            )
        sub, rest = (link.yes, link.no) if link.routing == "subscription" else (link.no, link.yes)
        if rest is not None and not self._ws_of(rest):
            if not rest.is_http or (sub is not None and any(leaf.kind in ("sse", "relay") for leaf in sub.leaves())):
                raise Refusal("it is not known how this splitLink carries queries and mutations", link.place, BY_HAND)
            self._put_side(link, "false" if link.routing == "subscription" else "true")
        elif rest is not None and sub is not None and not self._ws_of(sub):
            kinds = {leaf.kind for leaf in sub.leaves()}
            if kinds == {"http"}:
                self._put_side(link, "true" if link.routing == "subscription" else "false")
            elif not kinds <= {"sse", "relay"}:
                raise Refusal("it is not known how this link carries subscriptions", sub.place, BY_HAND)
            elif rest.kind == "ws":
                self._put_http(link, rest, sub, server_http)
            else:
                self._settle(rest, server_http)
        else:
            self._put_http(link, link, None, server_http)

    def _put_side(self, split: Link, key: str) -> None:
        """One side of a splitLink comes into its place."""
        node = split.call.node
        options = argument_of(node)
        value = property_of(options, key) if options is not None else None
        assert value is not None
        value = unwrapped(value)
        if value.type != "array":
            is_first = not split.call.file.data[split.call.file.line_start(node.start_byte) : node.start_byte].strip()
            is_listed = is_first and node.parent is not None and node.parent.type == "array"
            comments = _comments_above(split.call.file, value.parent) if is_listed and value.parent is not None else ()
            self._put_moved(split.call, text_of(value), comments)
            return
        work = self._work(split.call.file)
        if node.parent is None or node.parent.type != "array":
            raise Refusal("this side of splitLink is a list of links", Place(split.call.file, value), BY_HAND)
        base = work.file.indentation_of(node.start_byte)
        separator = f"{work.look.style.newline}{base}"
        texts = [
            separator.join([*_comments_above(split.call.file, one), work.look.rebased(text_of(one), base)])
            for one in value.named_children
            if one.type != "comment"
        ]
        work.put(node, f",{separator}".join(texts))

    # --- choices

    def _settle_ternary(self, link: Link, server_http: Link | None) -> None:
        texts = {self._left_of(branch) for branch, _ in link.branches} - {None}
        all_known = all(self._left_of(branch) is not None or self._is_ws(branch) for branch, _ in link.branches)
        server = next((one for one, side in link.branches if side == "server" and one.is_http), server_http)
        if len(texts) == 1 and all_known and self._fits_browser(link):
            self._put_moved(link.call, texts.pop() or "")
            for branch, _ in link.branches:
                if self._is_ws(branch):
                    self._ask_http(branch)
            return
        for branch, side in link.branches:
            self._settle(branch, server if side != "server" else server_http)

    def _left_of(self, branch: Link) -> str | None:
        """The code that is left of a branch, if that is an HTTP link of its own."""
        if branch.is_http:
            return text_of(unwrapped(branch.place.node))
        if branch.kind != "split" or branch.routing == "other":
            return None
        rest = branch.no if branch.routing == "subscription" else branch.yes
        return text_of(unwrapped(rest.place.node)) if rest is not None and rest.is_http else None

    def _settle_function(self, link: Link, server_http: Link | None) -> None:
        """What a function gives back: a branch that only made a WebSocket goes, and with it the condition."""
        server = next((one for one, side in link.branches if side == "server" and one.is_http), server_http)
        for branch, side in link.branches:
            if not self._ws_of(branch):
                continue
            dead = DeadBranch.of(branch.place, [one.place.node for one, _ in link.branches if one.is_http])
            if self._is_ws(branch) and dead is not None and self._fits_browser(link):
                dead.remove(self._work(branch.place.file))
                self._seen.add((branch.call.file.path, branch.call.node.start_byte, branch.call.node.end_byte))
                self._ask_http(branch)
            else:
                self._settle(branch, server if side != "server" else server_http)

    def _fits_browser(self, link: Link) -> bool:
        """Whether the HTTP link that is left works in the browser too; where it is for the server alone, its address
        must hold there, and its headers must do without a request.
        """
        for branch, side in link.branches:
            if side != "server" or not branch.is_http:
                continue
            for leaf in branch.leaves():
                options = self._options(leaf.place, leaf.call) if leaf.call.file is leaf.place.file else None
                url = options["url"] if options is not None else None
                if options is None or (url is None and not options.name):
                    return False
                if url is not None and url.value is not None:
                    address = Place(leaf.call.file, url.value)
                    if not holds_in_browsers(self._view, self._layout, address):
                        return False
                if not _minds_no_request(options):
                    return False
        return True

    # --- the HTTP link

    def _put_http(self, split: Link, replaced: Link, sub: Link | None, server_http: Link | None) -> None:
        """An HTTP link in the place of what carried queries and mutations."""
        self._ask_http(replaced)
        place = replaced.call
        self._replaced = (place.file.path, place.node.start_byte, place.node.end_byte)
        http = self._http_for(split if split.kind == "split" else replaced, sub, server_http)
        self._replaced = None
        self._put_moved(place, http.text)

    def _put_moved(self, place: Place, text: str, comments: tuple[str, ...] = ()) -> None:
        work = self._work(place.file)
        node = place.node
        base = work.base_of(node) if "\n" in text else work.file.indentation_of(node.start_byte)
        self._take_comment_above(work, node)
        before = node.start_byte - work.file.line_start(node.start_byte) - len(base.encode())
        moved = work.look.fitted(work.look.rebased(text, base), base, max(before, 0))
        work.put(node, f"{work.look.style.newline}{base}".join([*comments, moved]))

    def _take_comment_above(self, work: FileWork, node: Node) -> None:
        """Take out the comment right above a link of a list that tells of the WebSocket."""
        above = node.prev_named_sibling
        is_listed = node.parent is not None and node.parent.type == "array"
        if not is_listed or above is None or above.type != "comment" or above.end_point.row != node.start_point.row - 1:
            return
        start, end = work.file.line_start(above.start_byte), work.file.line_end(above.end_byte - 1)
        is_alone = work.file.data[start:end].strip() == text_of(above).encode()
        is_first = above.prev_sibling is not None and above.prev_sibling.type != "comment"
        tells = _TELLS_OF_SOCKETS.search(text_of(above)) and not re.search(r"[;{}=]", text_of(above))
        if is_alone and is_first and tells:
            work.edit.replace(start, end, "")

    def _is_of_the_request(self, options: Options) -> bool:
        return super()._is_of_the_request(options) or not _minds_no_request(options)

    def _take_comment(self, work: FileWork, commented: CommentedLink) -> None:
        path, start, end = self._replaced or ("", 0, 0)
        if path != work.file.path or not (start <= commented.start and commented.end <= end):
            super()._take_comment(work, commented)

    def _ask_http(self, link: Link) -> None:
        self.asked_http += self._ws_of(link)

    def _is_ws(self, link: Link) -> bool:
        return all(leaf.kind == "ws" for leaf in link.leaves())


def _comments_above(file: SourceFile, node: Node) -> tuple[str, ...]:
    """The comments on lines right above a part of a splitLink that still hold where the splitLink is gone."""
    found: list[str] = []
    row, above = node.start_point.row, node.prev_sibling
    while above is not None and above.type == "comment" and above.end_point.row == row - 1:
        if file.data[file.line_start(above.start_byte) : above.start_byte].strip() or "\n" in text_of(above):
            break
        found.append(text_of(above).rstrip())
        row, above = above.start_point.row, above.prev_sibling
    told = " ".join(found)
    is_stale = _TELLS_OF_SOCKETS.search(told) or _TELLS_OF_CHOICE.search(told) or re.search(r"[;{}=]", told)
    return () if is_stale else tuple(reversed(found))


def _minds_no_request(options: Options) -> bool:
    """Whether the headers of a link can be made where there is no request: they ask first whether there is one."""
    headers = options["headers"]
    value = headers.value if headers is not None else None
    if value is None:
        return True
    if value.type not in FUNCTIONS:
        return not re.search(r"\breq\b", text_of(value))
    uses = [node for node in find_all(value, "member_expression") if re.search(r"\breq\.", text_of(node))]
    asked = any(True for _ in find_all(value, "if_statement", "ternary_expression"))
    return not uses or asked or all("?." in text_of(node) for node in uses)
