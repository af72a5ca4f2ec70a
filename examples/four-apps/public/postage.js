const response = await fetch('/api/postage?country=fr&grams=2000')
const { cents } = await response.json()
document.querySelector('#postage').textContent = `${(cents / 100).toFixed(2)} €`
