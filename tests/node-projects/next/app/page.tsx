export default function Page() {
  return <a href="/shop/">the shop</a>
}
