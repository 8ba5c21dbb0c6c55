import { RetroChat } from "~/components/retro-chat/retro-chat";

export default function Home() {
  return (
    <main className="flex h-screen flex-col items-center gap-4 bg-black p-8 text-green-500">
      <h1 className="font-mono text-2xl">Skarv Point Radio</h1>
      <div className="w-full max-w-2xl flex-1 overflow-hidden">
        <RetroChat />
      </div>
    </main>
  );
}
